import { refuse } from './answer.ts'

/** Work that may wait; each of them holds a body. */
const MAX_WAITING = 8

/** Runs one piece of work at a time, in the order they came. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0

  /** Throws a 503 when too many wait already. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= MAX_WAITING) {
      throw refuse(503, `${MAX_WAITING} other configurations are being worked on; retry later`)
    }
    this.#waiting++
    const turn = this.#last.then(work)
    // How one ends is its own caller's concern.
    this.#last = turn.catch(() => undefined)
    try {
      return await turn
    } finally {
      this.#waiting--
    }
  }
}
