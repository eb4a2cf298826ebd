import type { StoreEvent } from './config-store.ts'

/** All events of one revision. */
export interface Revision {
  readonly revision: number
  readonly events: readonly StoreEvent[]
}

export interface HistoryLimits {
  /** Most events kept. Default 10,000. */
  readonly maxEvents?: number
  /** Most characters of keys and values kept. Default 16 Mi. */
  readonly maxCharacters?: number
}

/** The last revisions of a store, for watches that resume; the oldest fall out first, whole revisions at a time. */
export class EventHistory {
  readonly #maxEvents: number
  readonly #maxCharacters: number
  #revisions: Revision[] = []
  #events = 0
  #characters = 0
  #oldestComplete: number

  /** `revision` is the store's at this moment: what came before is not known here. */
  constructor(revision: number, limits: HistoryLimits = {}) {
    this.#oldestComplete = revision + 1
    this.#maxEvents = limits.maxEvents ?? 10_000
    this.#maxCharacters = limits.maxCharacters ?? 16 * 1024 * 1024
  }

  append(entry: Revision): void {
    this.#revisions.push(entry)
    this.#events += entry.events.length
    this.#characters += charactersOf(entry)
    this.#trim()
  }

  /** Revisions from `fromRevision` on; undefined when some of them are no longer held. */
  since(fromRevision: number): readonly Revision[] | undefined {
    if (fromRevision < this.#oldestComplete) return undefined
    const first = this.#revisions.findIndex((entry) => entry.revision >= fromRevision)
    return first === -1 ? [] : this.#revisions.slice(first)
  }

  /** The first revision a watch can still start from. */
  get oldestComplete(): number {
    return this.#oldestComplete
  }

  #trim(): void {
    let dropped = 0
    for (const entry of this.#revisions) {
      if (this.#events <= this.#maxEvents && this.#characters <= this.#maxCharacters) break
      this.#events -= entry.events.length
      this.#characters -= charactersOf(entry)
      this.#oldestComplete = entry.revision + 1
      dropped++
    }
    if (dropped > 0) this.#revisions = this.#revisions.slice(dropped)
  }
}

function charactersOf(entry: Revision): number {
  let sum = 0
  for (const event of entry.events) {
    sum += event.type === 'put' ? event.item.key.length + event.item.value.length : event.key.length
  }
  return sum
}
