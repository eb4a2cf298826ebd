import {
  type ConfigStore,
  type DeleteResult,
  type Lease,
  type Listing,
  type PutOptions,
  type PutResult,
  RevisionConflictError,
  type StoredItem,
  type Watch,
  type WatchSink,
} from '../../src/store/config-store.ts'

const NO_LEASE: Lease = { id: 'dry-run', keepAlive: async () => {}, revoke: async () => {} }

/** A store as a dry run sees it: reads are real, writes are checked against what is stored and change nothing; their revision is 0. */
export class DryStore implements ConfigStore {
  readonly name: string
  readonly isReadOnly: boolean
  readonly #store: ConfigStore

  constructor(store: ConfigStore) {
    this.name = store.name
    this.isReadOnly = store.isReadOnly
    this.#store = store
  }

  list(prefix: string): Promise<Listing> {
    return this.#store.list(prefix)
  }

  get(key: string): Promise<StoredItem | undefined> {
    return this.#store.get(key)
  }

  async put(key: string, _value: string, options: PutOptions = {}): Promise<PutResult> {
    const previous = await this.#expect(key, options.expectedRevision)
    return { revision: 0, createRevision: previous?.createRevision ?? 0, ...(previous && { previous }) }
  }

  async delete(key: string, options: { readonly expectedRevision?: number } = {}): Promise<DeleteResult> {
    const stored = await this.#expect(key, options.expectedRevision)
    return { revision: 0, deleted: stored ? [stored] : [] }
  }

  async deletePrefix(prefix: string): Promise<DeleteResult> {
    return { revision: 0, deleted: (await this.#store.list(prefix)).items }
  }

  async grantLease(): Promise<Lease> {
    return NO_LEASE
  }

  watch(prefix: string, fromRevision: number, sink: WatchSink): Watch {
    return this.#store.watch(prefix, fromRevision, sink)
  }

  /** Nothing is its own to release. */
  async close(): Promise<void> {}

  async #expect(key: string, revision: number | undefined): Promise<StoredItem | undefined> {
    const stored = await this.#store.get(key)
    if (revision !== undefined && (stored?.modRevision ?? 0) !== revision) {
      throw new RevisionConflictError(key, revision)
    }
    return stored
  }
}
