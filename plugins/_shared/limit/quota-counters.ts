import type { InstanceHost, NodeOperation, PluginHost } from '../../../src/plugin/api.ts'
import { shareRedis } from '../redis/shared.ts'
import { type RedisOptions, type RedisPolicy, redisTarget } from '../redis/target.ts'
import { DelayedWindow } from './delayed-window.ts'
import { FixedWindow } from './fixed-window.ts'
import { MAX_KEYS, NamedLimits } from './named-limits.ts'
import type { Quota, QuotaCounter, TakeQuota } from './quota.ts'
import { redisWindows } from './redis-windows.ts'
import { SlidingWindow } from './sliding-window.ts'

/** The argument of the node operations; plain data, because it may go to another process. */
interface Attempt {
  /** Identity of the limit, see `limit-id.ts`. */
  readonly id: string
  readonly key: string
  readonly limit: number
  readonly windowMs: number
}

type WindowType = 'fixed' | 'sliding'

/** For a plugin that counts with {@link openCounter}: its `nodeOperations`. */
export const quotaOperations: Readonly<Record<WindowType, (host: PluginHost) => NodeOperation>> = {
  fixed: ({ clock }) =>
    nodeOperation(new NamedLimits<QuotaCounter>(() => new FixedWindow(MAX_KEYS)), {
      monotonic: () => clock.monotonic(),
      windows: 1,
    }),
  sliding: ({ clock }) =>
    nodeOperation(new NamedLimits<QuotaCounter>(() => new SlidingWindow(MAX_KEYS)), {
      monotonic: () => clock.monotonic(),
      now: () => clock.now(),
      windows: 2,
    }),
}

interface Timing {
  readonly monotonic: () => number
  /** The clock of the counters; the monotonic one unless given. */
  readonly now?: () => number
  /** For how many windows a counter remembers. */
  readonly windows: number
}

function nodeOperation(
  limits: NamedLimits<QuotaCounter>,
  { monotonic, now, windows }: Timing,
): NodeOperation<Attempt, Quota> {
  return (attempt) => {
    const at = monotonic()
    const counter = limits.get(attempt.id, attempt.windowMs * windows, at)
    return counter.take(attempt.key, attempt, now ? now() : at)
  }
}

export interface CounterOptions extends RedisOptions {
  readonly policy: 'local' | RedisPolicy
  readonly window_type: WindowType
  /** Seconds between exchanges with redis; −1 asks redis at every request. */
  readonly sync_interval: number
}

/** Counts where the policy says; equal ids count together. What it opens ends with the instance. */
export function openCounter(options: CounterOptions, id: string, host: InstanceHost): TakeQuota {
  const { policy, window_type: type, sync_interval: intervalS } = options
  if (policy === 'local') {
    const take = host.nodeOperation<Attempt, Quota>(type)
    return (key, { limit, windowMs }) => take({ id, key, limit, windowMs })
  }
  const redis = shareRedis(redisTarget(policy, options), host)
  const place = { redis, prefix: `gatewright:limit-count:${id}:` }
  if (type === 'sliding' || intervalS < 0) return redisWindows(type, place)
  const monotonic = () => host.clock.monotonic()
  const window = new DelayedWindow(place)
  host.every(intervalS * 1000, () => window.exchange(monotonic))
  host.own(() => window.exchange(monotonic).catch(() => {}))
  return (key, allowance) => window.take(key, allowance, monotonic())
}
