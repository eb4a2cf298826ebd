/** How long nobody asks a server that let others wait in vain. */
const PAUSE_MS = 1000
/** A failure that came sooner cost nobody anything. */
const SLOW_MS = 50
/** More parts than any cluster has nodes. */
const MAX_PARTS = 1024

/**
 * Keeps requests from waiting, one after the other, for a server that does not answer: after a slow failure the part of redis it
 * came from is left alone for a second, then one request may find out whether it is back. `now` is a monotonic clock in ms.
 */
export class Pauses {
  readonly #until = new Map<string, number>()

  mayAsk(part: string, now: number): boolean {
    const until = this.#until.get(part)
    if (until === undefined) return true
    if (now < until) return false
    // This one finds out; the others go on as before until it knows.
    this.#until.set(part, now + PAUSE_MS)
    return true
  }

  answered(part: string): void {
    this.#until.delete(part)
  }

  failed(part: string, tookMs: number, now: number): void {
    if (tookMs < SLOW_MS) return
    if (this.#until.size >= MAX_PARTS) this.#until.clear()
    this.#until.set(part, now + PAUSE_MS)
  }
}
