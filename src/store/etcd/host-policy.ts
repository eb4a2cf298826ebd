import type { IOptions } from 'etcd3'
import { isRecoverableError } from 'etcd3'
import { HostName, type LookUp, UnresolvedNameError } from './host-name.ts'

type Policies = NonNullable<IOptions['faultHandling']>
type GlobalPolicy = NonNullable<Policies['global']>
type HostPolicy = ReturnType<NonNullable<Policies['host']>>

/** A host that failed is asked last for this long. */
const REST_MS = 10_000

/**
 * The address of a machine that is gone refuses nothing, it is silent until the call's time is up. Whatever is asked after this long goes
 * to another host.
 */
const PATIENCE_MS = 1000

/** gRPC's words for a call that never left this process, so that even a write may go to another host. */
const NEVER_SENT =
  /No connection established|ECONNREFUSED|Name resolution failed|Channel closed before call started|rests after a failure/

class RestingHostError extends Error {
  override readonly name = 'RestingHostError'
}

/** Tries a call once per host as long as it certainly was not sent; everything else is the caller's to judge. */
export function retryOnOtherHosts(hostCount: number): GlobalPolicy {
  return policy(async (call) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call()
      } catch (error) {
        if (attempt >= hostCount || !(error instanceof Error) || !NEVER_SENT.test(error.message)) throw error
      }
    }
  })
}

interface HostState {
  restUntilMs: number
  /** Calls without an answer, the oldest first. */
  readonly waiting: Set<{ readonly sinceMs: number }>
}

export interface HostPolicyOptions {
  /** Monotonic. */
  readonly nowMs?: () => number
  /** Looks up a host's name. */
  readonly lookUp?: LookUp
}

/**
 * One policy per host: after a failure, or while a call waits for longer than usual, the others are preferred. With one host there is
 * nothing to prefer.
 */
export function hostPolicy(
  hostCount: number,
  { nowMs = () => performance.now(), lookUp }: HostPolicyOptions = {},
): (host: string) => HostPolicy {
  const states = new Map<string, HostState>()
  const isResting = ({ restUntilMs, waiting }: HostState): boolean => {
    const [oldest] = waiting
    return restUntilMs > nowMs() || (oldest !== undefined && nowMs() - oldest.sinceMs > PATIENCE_MS)
  }
  return (host) => {
    const state: HostState = { restUntilMs: 0, waiting: new Set() }
    states.set(host, state)
    const name = new HostName(host, { patienceMs: PATIENCE_MS, ...(lookUp && { lookUp }) })
    return policy(async (call) => {
      const resting = [...states.values()].filter(isResting).length
      if (resting < hostCount && isResting(state)) {
        throw new RestingHostError(`${host} rests after a failure`)
      }
      const turn = { sinceMs: nowMs() }
      state.waiting.add(turn)
      try {
        await name.ready()
        const result = await call()
        if (!isStream(result)) state.restUntilMs = 0
        return result
      } catch (error) {
        const isGivenUp = error instanceof Error && isRecoverableError(error)
        if (isGivenUp || error instanceof UnresolvedNameError) state.restUntilMs = nowMs() + REST_MS
        // etcd3 makes new connections then.
        if (isGivenUp) name.forget()
        throw error
      } finally {
        state.waiting.delete(turn)
      }
    })
  }
}

/** A stream opens at once, whether there is someone at the other end or not. */
function isStream(result: unknown): boolean {
  return typeof result === 'object' && result !== null && 'cancel' in result
}

type Call = () => Promise<unknown>

/** etcd3 only ever calls `execute`; the rest of cockatiel's policy is for its own listeners. */
function policy(execute: (call: Call) => Promise<unknown>): GlobalPolicy & HostPolicy {
  const context = { signal: new AbortController().signal }
  const own = {
    execute: (run: (ctx: typeof context) => Promise<unknown>) => execute(async () => run(context)),
  }
  return own as unknown as GlobalPolicy & HostPolicy
}
