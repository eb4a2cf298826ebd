import { definePlugin, type InstanceHost, type NodeOperation, type Reply } from '../../src/plugin/api.ts'
import { hold, releaseHeld } from '../_shared/delay/hold.ts'
import { failureNotes } from '../_shared/limit/failures.ts'
import { compileKey } from '../_shared/limit/key.ts'
import { type Drain, drainMs, LeakyBuckets } from '../_shared/limit/leaky-bucket.ts'
import { limitId } from '../_shared/limit/limit-id.ts'
import { MAX_KEYS, NamedLimits } from '../_shared/limit/named-limits.ts'
import { redisBuckets } from '../_shared/limit/redis-bucket.ts'
import { redisSecrets } from '../_shared/redis/schema.ts'
import { shareRedis } from '../_shared/redis/shared.ts'
import { redisTarget } from '../_shared/redis/target.ts'
import { type LimitReqConfig, schema } from './schema.ts'

/** The argument of the node operation; plain data, because it may go to another process. */
interface Pour extends Drain {
  readonly id: string
  readonly key: string
}

/** How long the request has to wait, in ms; nothing for one that is refused. JSON knows no `undefined`. */
type Wait = number | null

const FAILED: Reply = { status: 500 }

/** Lets requests through at a steady rate: a leaky bucket (contract §7.3). */
export default definePlugin<LimitReqConfig>({
  name: 'limit-req',
  priority: 1001,
  phases: ['access', 'log'],
  schema,
  secretFields: redisSecrets,
  nodeOperations: {
    pour({ clock }): NodeOperation<Pour, Wait> {
      const limits = new NamedLimits(() => new LeakyBuckets(MAX_KEYS))
      return (pour) => {
        const now = clock.monotonic()
        const buckets = limits.get(pour.id, drainMs(pour.burst, pour.rate), now)
        return buckets.pour(pour.key, pour, now) ?? null
      }
    },
  },
  check({ policy, ...options }) {
    if (policy !== 'local') redisTarget(policy, options)
  },
  compile(config, host) {
    const { rejected_code: status, rejected_msg: message, allow_degradation: mayDegrade, nodelay } = config
    const keyOf = compileKey(config.key, config.key_type)
    const pour = openBuckets(config, host)
    const noteFailure = failureNotes('limit-req', host, mayDegrade)
    const rejection: Reply = message === undefined ? { status } : { status, body: { error_msg: message } }
    const fail = (error: unknown) => {
      noteFailure(error)
      return mayDegrade ? undefined : FAILED
    }
    return {
      access(context) {
        const act = (waitMs: Wait) => {
          if (waitMs === null) return rejection
          return nodelay || waitMs < 1 ? undefined : hold(context, waitMs)
        }
        const wait = pour(keyOf(context))
        return wait instanceof Promise ? wait.then(act, fail) : act(wait)
      },
      ...(!nodelay && { log: releaseHeld }),
    }
  },
})

function openBuckets(config: LimitReqConfig, host: InstanceHost): (key: string) => Wait | Promise<Wait> {
  const { policy, rate, burst } = config
  const id = limitId(host.place, config)
  if (policy === 'local') {
    const pour = host.nodeOperation<Pour, Wait>('pour')
    return (key) => pour({ id, key, rate, burst })
  }
  const redis = shareRedis(redisTarget(policy, config), host)
  const pour = redisBuckets({ redis, prefix: `gatewright:limit-req:${id}:` })
  return async (key) => (await pour(key, { rate, burst })) ?? null
}
