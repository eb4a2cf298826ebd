import type { Context } from './context/context.ts'

/** A phase did not settle in time. */
export class PhaseTimeoutError extends Error {
  override readonly name = 'PhaseTimeoutError'

  constructor(limitMs: number) {
    super(`the phase did not settle within ${limitMs} ms`)
  }
}

/**
 * Settles as `pending` does, or rejects after `limitMs`. While the phase waits for the client's body the client's own limits count
 * instead. What settles later is dropped.
 */
export function withinPhaseLimit<T>(pending: Promise<T>, limitMs: number, context: Context): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const expire = () => {
      if (context.isReadingBody) timer = setTimeout(expire, limitMs)
      else reject(new PhaseTimeoutError(limitMs))
    }
    let timer = setTimeout(expire, limitMs)
    pending.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
