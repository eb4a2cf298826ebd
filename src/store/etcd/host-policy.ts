import type { IOptions } from 'etcd3'
import { isRecoverableError } from 'etcd3'

type Policies = NonNullable<IOptions['faultHandling']>
type GlobalPolicy = NonNullable<Policies['global']>
type HostPolicy = ReturnType<NonNullable<Policies['host']>>

/** A host that failed is asked last for this long. */
const REST_MS = 10_000

/** gRPC's words for a call that never left this process, so that even a write may go to another host. */
const NEVER_SENT = /No connection established|ECONNREFUSED|Name resolution failed|rests after a failure/

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

/** One policy per host: after a failure the others are preferred for a while. With one host there is nothing to prefer. */
export function hostPolicy(
  hostCount: number,
  nowMs: () => number = () => performance.now(),
): (host: string) => HostPolicy {
  const restUntil = new Map<string, number>()
  return (host) =>
    policy(async (call) => {
      const now = nowMs()
      const resting = [...restUntil.values()].filter((until) => until > now).length
      if (resting < hostCount && hostCount > 1 && (restUntil.get(host) ?? 0) > now) {
        throw new RestingHostError(`${host} rests after a failure`)
      }
      try {
        const result = await call()
        restUntil.delete(host)
        return result
      } catch (error) {
        if (error instanceof Error && isRecoverableError(error)) restUntil.set(host, nowMs() + REST_MS)
        throw error
      }
    })
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
