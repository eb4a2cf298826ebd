import { type Reply, type RequestContext, requestSlot } from '../../../src/plugin/api.ts'

/** A timer asked for more than this fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
/** Ends the walk of a request whose client has left; nobody reads it. */
const CLIENT_LEFT: Reply = { status: 499 }

/** Ends the pause that the request is in; phases run one after the other, so there is one at most. */
const ends = requestSlot<() => void>('delay')

/**
 * Keeps a request waiting in `rewrite` or `access`. Resolves to nothing when the time is over, and to a reply that the phase has to
 * return when the client left meanwhile. The plugin calls {@link releaseHeld} in its `log` phase.
 */
export function hold(context: RequestContext, delayMs: number): Promise<Reply | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), Math.min(delayMs, LONGEST_TIMER_MS))
    context.set(ends, () => {
      clearTimeout(timer)
      resolve(CLIENT_LEFT)
    })
  })
}

/** Lets go of a request whose client left during a pause. Does nothing for others. */
export function releaseHeld(context: RequestContext): void {
  context.get(ends)?.()
}
