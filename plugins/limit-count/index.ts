import { definePlugin, type Reply } from '../../src/plugin/api.ts'
import { failureNotes } from '../_shared/limit/failures.ts'
import { quotaOperations } from '../_shared/limit/quota-counters.ts'
import type { Verdict } from '../_shared/limit/tries.ts'
import { sentinelSecrets } from '../_shared/redis/schema.ts'
import { checkConfig } from './check.ts'
import { createLimiter } from './limiter.ts'
import { setQuotaHeaders } from './quota-headers.ts'
import { type LimitCountConfig, metadataSchema, schema } from './schema.ts'

const UNCOUNTED: Reply = { status: 500, body: { error_msg: 'failed to limit count' } }
const NO_RULE_APPLIED: Reply = { status: 500 }

/** Lets a number of requests through in a window of time, by any property of the request (contract §7.3). */
export default definePlugin<LimitCountConfig>({
  name: 'limit-count',
  priority: 1002,
  phases: ['access', 'headerFilter'],
  schema,
  metadataSchema,
  secretFields: sentinelSecrets,
  nodeOperations: quotaOperations,
  check: checkConfig,
  compile(config, host) {
    const { rejected_code: status, rejected_msg: message, allow_degradation: mayDegrade } = config
    const noteFailure = failureNotes('limit-count', host, mayDegrade)
    const limit = createLimiter({ config, host, noteFailure })
    const rejection: Reply = message === undefined ? { status } : { status, body: { error_msg: message } }
    const replies: Readonly<Record<Verdict, Reply | undefined>> = {
      passed: undefined,
      rejected: rejection,
      failed: mayDegrade ? undefined : UNCOUNTED,
      skipped: mayDegrade ? undefined : NO_RULE_APPLIED,
    }
    const answer = (verdict: Verdict) => {
      if (verdict === 'skipped') noteFailure('no rule is about the request')
      return replies[verdict]
    }
    return {
      access(context) {
        const verdict = limit(context)
        return verdict instanceof Promise ? verdict.then(answer) : answer(verdict)
      },
      ...(config.show_limit_quota_header && { headerFilter: setQuotaHeaders }),
    }
  },
})
