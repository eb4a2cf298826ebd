/** Those that wait at one time; more are refused. */
const MAX_WAITING = 10_000

interface Waiting {
  readonly revision: number
  resolve(): void
  reject(reason: unknown): void
}

/** Lets callers wait for a revision to be served. */
export class AppliedWaiters {
  readonly #waiting = new Set<Waiting>()
  #published = 0
  #isClosed = false

  /** Those that wait now. */
  get size(): number {
    return this.#waiting.size
  }

  /** Resolves when a revision of at least this is served; rejects when `signal` aborts, at the end, or when too many wait. */
  waitFor(revision: number, signal: AbortSignal): Promise<void> {
    if (this.#published >= revision) return Promise.resolve()
    if (this.#isClosed) return Promise.reject(new Error('the gateway stops'))
    if (signal.aborted) return Promise.reject(signal.reason)
    if (this.#waiting.size >= MAX_WAITING) return Promise.reject(new Error('too many wait already'))
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.delete(waiting)
        reject(signal.reason)
      }
      const release = (settle: () => void) => {
        this.#waiting.delete(waiting)
        signal.removeEventListener('abort', onAbort)
        settle()
      }
      const waiting: Waiting = {
        revision,
        resolve: () => release(resolve),
        reject: (reason) => release(() => reject(reason)),
      }
      this.#waiting.add(waiting)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** To be called when a revision is visible to requests. */
  publish(revision: number): void {
    this.#published = revision
    for (const waiting of this.#waiting) if (waiting.revision <= revision) waiting.resolve()
  }

  /** Nothing more will be published. */
  close(): void {
    this.#isClosed = true
    for (const waiting of this.#waiting) waiting.reject(new Error('the gateway stops'))
  }
}
