/** What happened to the registry, as its event stream tells. */
export type ChangeType = 'agent_registered' | 'agent_updated' | 'agent_removed' | 'node_status'

export type RemovalReason = 'deleted' | 'lease_expired' | 'node_drained'

export interface Change {
  /** The store's revision that made it; several changes may share one. */
  readonly revision: number
  readonly type: ChangeType
  readonly data: Readonly<Record<string, unknown>>
}

/** Told of all changes of one revision at once, and in order. Must not throw. */
export type ChangeListener = (changes: readonly Change[]) => void

/** Changes that are kept for who resumes. */
const MOST_KEPT = 10_000

/** The newest changes of the registry, each once and in the order of revisions. */
export class ChangeLog {
  readonly #listeners = new Set<ChangeListener>()
  #kept: Change[] = []
  /** Everything after this revision is kept. */
  #completeSince = 0
  #revision = 0

  /** The state was read anew at this revision: what led to it is not known. */
  restart(revision: number): void {
    this.#kept = []
    this.#completeSince = revision
    this.#revision = revision
  }

  /** All changes of one revision. */
  append(revision: number, changes: readonly Change[]): void {
    this.#revision = Math.max(this.#revision, revision)
    if (changes.length === 0) return
    this.#kept.push(...changes)
    if (this.#kept.length > 2 * MOST_KEPT) this.#trim()
    for (const listener of [...this.#listeners]) listener(changes)
  }

  /** The revision up to which everything is told. */
  get revision(): number {
    return this.#revision
  }

  /** Changes after `revision`; `undefined` when not all of them are kept, or when it has not been reached. */
  since(revision: number): readonly Change[] | undefined {
    if (revision < this.#completeSince || revision > this.#revision) return undefined
    return this.#kept.filter((change) => change.revision > revision)
  }

  /** Hears of every change from now on; the result ends that. */
  subscribe(listener: ChangeListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #trim(): void {
    const last = this.#kept[this.#kept.length - MOST_KEPT - 1]!.revision
    this.#kept = this.#kept.filter((change) => change.revision > last)
    this.#completeSince = last
  }
}
