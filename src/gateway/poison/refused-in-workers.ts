import type { Ref } from '../../model/kind.ts'
import type { Barred } from '../../snapshot/barred.ts'
import { pathOf } from '../../snapshot/decode.ts'
import { nameOf } from '../../snapshot/graph.ts'
import type { Quarantined } from '../../snapshot/intake.ts'
import type { StoredItem } from '../../store/config-store.ts'
import type { RecentChanges } from './recent-changes.ts'

export interface RefusedParts {
  /** Of the store's keys. */
  readonly prefix: string
  readonly publisher: {
    readonly status: { readonly quarantined: readonly Quarantined[] }
    bar(barred: Barred): void
    unbar(item: StoredItem): void
  }
  readonly changes: RecentChanges
  /** As it stands in the store. */
  item(key: string): StoredItem | undefined
  /** Whether that is so for another reason. */
  isSetAside(item: StoredItem): boolean
  /** Whether this process would not see what a worker refuses in it. */
  isForWorkers(ref: Ref, item: StoredItem): boolean
}

/**
 * In the primary process, which does not compile the user's own plugins: what its workers refuse for their sake, and it would take for good, is
 * quarantined here too, as long as a worker refuses it.
 */
export class RefusedInWorkers<W extends object> {
  readonly #parts: RefusedParts
  readonly #byWorker = new Map<W, readonly Quarantined[]>()
  readonly #barred = new Map<string, StoredItem>()

  constructor(parts: RefusedParts) {
    this.#parts = parts
  }

  /** All that a worker refuses now. */
  take(worker: W, refused: readonly Quarantined[]): void {
    this.#byWorker.set(worker, refused)
    this.#compare()
  }

  forget(worker: W): void {
    if (this.#byWorker.delete(worker)) this.#compare()
  }

  /** Why a worker refuses it, if one does. */
  reasonOf(ref: Ref): string | undefined {
    for (const refused of this.#byWorker.values()) {
      const found = refused.find((one) => nameOf(one) === nameOf(ref))
      if (found) return found.reason
    }
    return undefined
  }

  #compare(): void {
    const refused = this.#refused()
    for (const [key, item] of this.#barred) {
      if (refused.get(key)?.modRevision === item.modRevision) continue
      this.#barred.delete(key)
      this.#parts.publisher.unbar(item)
    }
    for (const [key, one] of refused) this.#bar(key, one)
  }

  #refused(): ReadonlyMap<string, Quarantined> {
    const all = [...this.#byWorker.values()].flat()
    return new Map(all.map((one) => [`${this.#parts.prefix}/${pathOf(one)}`, one]))
  }

  #bar(key: string, { reason, modRevision, ...ref }: Quarantined): void {
    const { publisher, changes, isSetAside, isForWorkers } = this.#parts
    const item = this.#parts.item(key)
    if (item?.modRevision !== modRevision || this.#barred.has(key) || isSetAside(item)) return
    if (!isForWorkers(ref, item)) return
    if (publisher.status.quarantined.some((one) => nameOf(one) === nameOf(ref))) return
    const change = changes.get(key)
    const before = change?.item.modRevision === modRevision ? change.before : undefined
    this.#barred.set(key, item)
    publisher.bar({ item, reason, ...(before && { before }) })
  }
}
