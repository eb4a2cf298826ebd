/** What a client may do on one connection within a second; each is free for it and costs the gateway work. */
const PER_SECOND = {
  /** Streams that ended by a reset: rapid reset (CVE-2023-44487), and errors provoked to the same end (CVE-2025-8671). */
  reset: 200,
  ping: 200,
  settings: 50,
} as const

type CountedKind = keyof typeof PER_SECOND

/** What a connection is flooded with; `frames`: any that bring nothing ({@link FrameBudget} tells). */
export type FloodKind = CountedKind | 'frames'

/** Counts what can be a flood on one connection. */
export class FloodGuard {
  #second = 0
  readonly #counts: Record<CountedKind, number> = { reset: 0, ping: 0, settings: 0 }

  /** Returns true once there were too many in this second. `nowMs` is monotonic. */
  isTooMany(kind: CountedKind, nowMs: number): boolean {
    const second = Math.floor(nowMs / 1000)
    if (second !== this.#second) {
      this.#second = second
      for (const each of Object.keys(PER_SECOND) as CountedKind[]) this.#counts[each] = 0
    }
    return ++this.#counts[kind] > PER_SECOND[kind]
  }
}
