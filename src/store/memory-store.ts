import { compareKeys } from './keys.ts'
import { RevisionedStore, type RevisionedStoreOptions } from './revisioned-store.ts'
import type { Commit, LeaseRow, StorageMedium, StoredRecord } from './storage-medium.ts'

/** Keeps everything in the process and loses it with the process: for tests and for embedding. */
export class MemoryStore extends RevisionedStore {
  constructor(options: RevisionedStoreOptions) {
    super('memory', new MemoryMedium(), options)
  }
}

/** A medium that lives as long as the object. */
export class MemoryMedium implements StorageMedium {
  readonly #records = new Map<string, StoredRecord>()
  readonly #leases = new Map<string, LeaseRow>()
  #revision = 1

  revision(): number {
    return this.#revision
  }

  get(key: string): StoredRecord | undefined {
    return this.#records.get(key)
  }

  range(prefix: string): { readonly records: readonly StoredRecord[]; readonly revision: number } {
    const records = [...this.#records.values()].filter((record) => record.key.startsWith(prefix))
    return { records: records.sort((a, b) => compareKeys(a.key, b.key)), revision: this.#revision }
  }

  leases(): readonly LeaseRow[] {
    return [...this.#leases.values()]
  }

  async commit(change: Commit): Promise<void> {
    replaceEntries(this.#records, change.records)
    replaceEntries(this.#leases, change.leases)
    this.#revision = change.revision
  }

  async close(): Promise<void> {
    this.#records.clear()
    this.#leases.clear()
  }
}

function replaceEntries<V>(target: Map<string, V>, changes: ReadonlyMap<string, V | undefined>): void {
  for (const [key, value] of changes) {
    if (value === undefined) target.delete(key)
    else target.set(key, value)
  }
}
