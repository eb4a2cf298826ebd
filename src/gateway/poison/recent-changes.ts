import type { Clock } from '../../lib/clock.ts'
import type { StoredItem } from '../../store/config-store.ts'

/** What became of a key, and what was there before. */
export interface RecentChange {
  readonly item: StoredItem
  /** Absent when the key is new, or its earlier versions are no longer known. */
  readonly before: StoredItem | undefined
  /** By the clock of these changes. */
  readonly atMs: number
}

const MOST = 500
/** Of all their values together. */
const MOST_CHARACTERS = 8 * 1024 * 1024

/** The newest change of each of the keys that changed last. */
export class RecentChanges {
  readonly #changes = new Map<string, RecentChange>()
  readonly #clock: Clock
  #characters = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  note(item: StoredItem, before: StoredItem | undefined): void {
    this.forget(item.key)
    this.#changes.set(item.key, { item, before, atMs: this.#clock.nowMs() })
    this.#characters += sizeOf(item, before)
    for (const key of this.#changes.keys()) {
      const isTooMuch = this.#changes.size > MOST || this.#characters > MOST_CHARACTERS
      if (!isTooMuch || key === item.key) break
      this.forget(key)
    }
  }

  forget(key: string): void {
    const known = this.#changes.get(key)
    if (!known) return
    this.#changes.delete(key)
    this.#characters -= sizeOf(known.item, known.before)
  }

  get(key: string): RecentChange | undefined {
    return this.#changes.get(key)
  }

  since(atMs: number): RecentChange[] {
    return this.newestFirst().filter((change) => change.atMs >= atMs)
  }

  /** The newest first. */
  newestFirst(): RecentChange[] {
    return [...this.#changes.values()].reverse()
  }
}

function sizeOf(item: StoredItem, before: StoredItem | undefined): number {
  return item.value.length + (before?.value.length ?? 0)
}
