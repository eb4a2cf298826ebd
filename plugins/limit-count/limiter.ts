import { compileTemplate, type InstanceHost, type RequestContext } from '../../src/plugin/api.ts'
import { type Amount, compileAmount } from '../_shared/limit/amount.ts'
import { FixedWindow } from '../_shared/limit/fixed-window.ts'
import { compileKey } from '../_shared/limit/key.ts'
import type { QuotaCounter } from '../_shared/limit/quota.ts'
import { SlidingWindow } from '../_shared/limit/sliding-window.ts'
import { joinGroup } from './groups.ts'
import { compileNote, type NoteQuota } from './quota-headers.ts'
import type { LimitCountConfig, Rule } from './schema.ts'

/** Keys remembered per limit, about 10 MB; beyond it the oldest key starts anew. */
const MAX_KEYS = 65_536
const MS_PER_SECOND = 1000

/** What came of a request: it passed, was over a limit, could not be counted, or no rule was about it. */
export type Verdict = 'passed' | 'rejected' | 'failed' | 'skipped'

export type Limiter = (context: RequestContext) => Verdict

interface Limit {
  /** `undefined` means that the limit is not about this request. */
  readonly key: (context: RequestContext) => string | undefined
  readonly count: Amount
  readonly seconds: Amount
  readonly counter: QuotaCounter
  readonly note: NoteQuota | undefined
}

/** Makes the limiter of one configuration; its counters live and end with it, those of a group with the group. */
export function createLimiter(config: LimitCountConfig, host: InstanceHost): Limiter {
  const limits = config.rules
    ? config.rules.map((rule, i) => ruleLimit(rule, String(i + 1), { config, host }))
    : [singleLimit(config, host)]
  return (context) => {
    let verdict: Verdict = 'skipped'
    for (const limit of limits) {
      const one = apply(limit, context)
      if (one === 'skipped') continue
      verdict = one
      if (verdict !== 'passed') break
    }
    return verdict
  }
}

function apply({ key, count, seconds, counter, note }: Limit, context: RequestContext): Verdict {
  const counted = key(context)
  if (counted === undefined) return 'skipped'
  const limit = count(context)
  const window = seconds(context)
  if (limit === undefined || window === undefined) return 'failed'
  const quota = counter.take(counted, { limit, windowMs: window * MS_PER_SECOND })
  note?.(context, quota, limit)
  return quota.isAllowed ? 'passed' : 'rejected'
}

function singleLimit(config: LimitCountConfig, host: InstanceHost): Limit {
  const make = () => createCounter(config, host)
  return {
    key: compileKey(config.key, config.key_type),
    count: compileAmount('count', config.count!),
    seconds: compileAmount('time_window', config.time_window!),
    counter: config.group === undefined ? make() : joinGroup(config.group, config, { host, make }),
    note: createNote(config, host, undefined),
  }
}

function ruleLimit(
  rule: Rule,
  number: string,
  { config, host }: { readonly config: LimitCountConfig; readonly host: InstanceHost },
): Limit {
  const key = compileTemplate(rule.key)
  return {
    key: (context) => key.renderResolved(context) || undefined,
    count: compileAmount('count', rule.count),
    seconds: compileAmount('time_window', rule.time_window),
    counter: createCounter(config, host),
    note: createNote(config, host, rule.header_prefix ?? number),
  }
}

function createCounter({ window_type: type }: LimitCountConfig, { clock }: InstanceHost): QuotaCounter {
  return type === 'sliding'
    ? new SlidingWindow(MAX_KEYS, () => clock.now())
    : new FixedWindow(MAX_KEYS, () => clock.monotonic())
}

function createNote(
  config: LimitCountConfig,
  host: InstanceHost,
  prefix: string | undefined,
): NoteQuota | undefined {
  return config.show_limit_quota_header ? compileNote(() => host.metadata(), prefix) : undefined
}
