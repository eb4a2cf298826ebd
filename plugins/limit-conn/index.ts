import { definePlugin, type Reply } from '../../src/plugin/api.ts'
import { hold, releaseHeld } from '../_shared/delay/hold.ts'
import { failureNotes } from '../_shared/limit/failures.ts'
import type { Verdict } from '../_shared/limit/tries.ts'
import { redisSecrets } from '../_shared/redis/schema.ts'
import { redisTarget } from '../_shared/redis/target.ts'
import { checkRule, createLimiter, leavePlaces, takeDelay } from './limiter.ts'
import { openRequestsOperation } from './places.ts'
import { type ConnRule, type LimitConnConfig, schema } from './schema.ts'

const FAILED: Reply = { status: 500 }

/** Bounds how many requests are under way at the same time (contract §7.3). */
export default definePlugin<LimitConnConfig>({
  name: 'limit-conn',
  priority: 1003,
  phases: ['access', 'log'],
  schema,
  secretFields: redisSecrets,
  nodeOperations: { 'open-requests': openRequestsOperation },
  check(config) {
    if (config.policy !== 'local') redisTarget(config.policy, config)
    for (const rule of config.rules ?? [config as ConnRule]) checkRule(rule)
  },
  compile(config, host) {
    const { rejected_code: status, rejected_msg: message, allow_degradation: mayDegrade } = config
    const noteFailure = failureNotes('limit-conn', host, mayDegrade)
    const limit = createLimiter({ config, host, noteFailure })
    const rejection: Reply = message === undefined ? { status } : { status, body: { error_msg: message } }
    const uncounted = mayDegrade ? undefined : FAILED
    const replies: Readonly<Record<Verdict, Reply | undefined>> = {
      passed: undefined,
      rejected: rejection,
      failed: uncounted,
      skipped: uncounted,
    }
    return {
      access(context) {
        const answer = (verdict: Verdict) => {
          if (verdict === 'skipped') noteFailure('no rule is about the request')
          if (verdict !== 'passed') return replies[verdict]
          const delayMs = takeDelay(context)
          return delayMs >= 1 ? hold(context, delayMs) : undefined
        }
        const verdict = limit(context)
        return verdict instanceof Promise ? verdict.then(answer) : answer(verdict)
      },
      log(context) {
        releaseHeld(context)
        leavePlaces(context)
      },
    }
  },
})
