import { definePlugin, type Reply } from '../../src/plugin/api.ts'
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
  schema,
  metadataSchema,
  check: checkConfig,
  compile(config, host) {
    const limit = createLimiter(config, host)
    const { rejected_code: status, rejected_msg: message, allow_degradation: mayDegrade } = config
    const rejection: Reply = message === undefined ? { status } : { status, body: { error_msg: message } }
    return {
      access(context) {
        const verdict = limit(context)
        if (verdict === 'passed') return undefined
        if (verdict === 'rejected') return rejection
        host.logger.warn({ verdict }, 'a request could not be counted')
        if (mayDegrade) return undefined
        return verdict === 'skipped' ? NO_RULE_APPLIED : UNCOUNTED
      },
      ...(config.show_limit_quota_header && { headerFilter: setQuotaHeaders }),
    }
  },
})
