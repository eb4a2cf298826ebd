/** Timers of one plugin instance. They keep no process alive, and what they run can break nothing else. */
export class OwnedTimers {
  readonly #running = new Set<NodeJS.Timeout>()
  readonly #onFailure: (error: unknown) => void

  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure
  }

  /** Returns what cancels it. */
  after(ms: number, run: () => unknown): () => void {
    const timer = setTimeout(() => {
      this.#running.delete(timer)
      this.#guard(run)
    }, ms).unref()
    return this.#keep(timer)
  }

  every(ms: number, run: () => unknown): () => void {
    return this.#keep(setInterval(() => this.#guard(run), ms).unref())
  }

  /** Cancels all there are. */
  clear(): void {
    for (const timer of this.#running) clearTimeout(timer)
    this.#running.clear()
  }

  #keep(timer: NodeJS.Timeout): () => void {
    this.#running.add(timer)
    return () => {
      clearTimeout(timer)
      this.#running.delete(timer)
    }
  }

  #guard(run: () => unknown): void {
    try {
      const result = run()
      if (result instanceof Promise) result.catch(this.#onFailure)
    } catch (error) {
      this.#onFailure(error)
    }
  }
}
