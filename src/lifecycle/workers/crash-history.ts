/** Crashes are remembered for so long. */
const WINDOW_MS = 30_000
/** More within the window are a loop (systems.md §6.7). */
const LOOP_ABOVE = 5
const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 10_000

/** The crashes of one worker's place: when the next process may start there, and whether they have become a loop. */
export class CrashHistory {
  #crashes: number[] = []

  /** Takes a crash in. The first within the window is made good at once, the next ones later and later. */
  add(nowMs: number): { readonly delayMs: number } {
    this.#forget(nowMs)
    this.#crashes.push(nowMs)
    const before = this.#crashes.length - 1
    return { delayMs: before === 0 ? 0 : Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (before - 1)) }
  }

  isLoop(nowMs: number): boolean {
    this.#forget(nowMs)
    return this.#crashes.length > LOOP_ABOVE
  }

  #forget(nowMs: number): void {
    this.#crashes = this.#crashes.filter((atMs) => nowMs - atMs < WINDOW_MS)
  }
}
