import { compileTemplate, type InstanceHost, type RequestContext } from '../../src/plugin/api.ts'
import { type Amount, compileAmount } from '../_shared/limit/amount.ts'
import type { NoteFailure } from '../_shared/limit/failures.ts'
import { compileKey } from '../_shared/limit/key.ts'
import { limitId } from '../_shared/limit/limit-id.ts'
import type { Quota, TakeQuota } from '../_shared/limit/quota.ts'
import { openCounter } from '../_shared/limit/quota-counters.ts'
import { tryInTurn, type Verdict } from '../_shared/limit/tries.ts'
import { joinGroup } from './groups.ts'
import { compileNote, type NoteQuota } from './quota-headers.ts'
import type { LimitCountConfig, Rule } from './schema.ts'

const MS_PER_SECOND = 1000

export type Limiter = (context: RequestContext) => Verdict | Promise<Verdict>

interface Limit {
  /** `undefined` means that the limit is not about this request. */
  readonly key: (context: RequestContext) => string | undefined
  readonly count: Amount
  readonly seconds: Amount
  readonly take: TakeQuota
  readonly note: NoteQuota | undefined
  readonly noteFailure: NoteFailure
}

interface Parts {
  readonly config: LimitCountConfig
  readonly host: InstanceHost
  readonly noteFailure: NoteFailure
}

/** Makes the limiter of one configuration; counters belong to the resource and the configuration, those of a group to the group. */
export function createLimiter(parts: Parts): Limiter {
  const { rules } = parts.config
  const limits = rules ? rules.map((rule, i) => ruleLimit(rule, String(i + 1), parts)) : [singleLimit(parts)]
  const tries = limits.map((limit) => (context: RequestContext) => apply(limit, context))
  const [only] = tries
  return only && tries.length === 1 ? only : (context) => tryInTurn(tries, context)
}

function apply(limit: Limit, context: RequestContext): Verdict | Promise<Verdict> {
  const counted = limit.key(context)
  if (counted === undefined) return 'skipped'
  const count = limit.count(context)
  const window = limit.seconds(context)
  if (count === undefined || window === undefined) {
    limit.noteFailure('count or time_window did not come to a positive number')
    return 'failed'
  }
  const quota = limit.take(counted, { limit: count, windowMs: window * MS_PER_SECOND })
  return quota instanceof Promise
    ? judgeLater(limit, { context, quota, count })
    : judge(limit, { context, quota, count })
}

interface Taken<Result> {
  readonly context: RequestContext
  readonly quota: Result
  readonly count: number
}

function judge({ note }: Limit, { context, quota, count }: Taken<Quota>): Verdict {
  note?.(context, quota, count)
  return quota.isAllowed ? 'passed' : 'rejected'
}

async function judgeLater(limit: Limit, { quota, ...rest }: Taken<Promise<Quota>>): Promise<Verdict> {
  try {
    return judge(limit, { ...rest, quota: await quota })
  } catch (error) {
    limit.noteFailure(error)
    return 'failed'
  }
}

function singleLimit({ config, host, noteFailure }: Parts): Limit {
  const id = config.group === undefined ? limitId(host.place, config) : joinGroup(config.group, config, host)
  return {
    key: compileKey(config.key, config.key_type),
    count: compileAmount('count', config.count!),
    seconds: compileAmount('time_window', config.time_window!),
    take: openCounter(config, id, host),
    note: createNote({ config, host }, undefined),
    noteFailure,
  }
}

function ruleLimit(rule: Rule, number: string, { config, host, noteFailure }: Parts): Limit {
  const key = compileTemplate(rule.key)
  return {
    key: (context) => key.renderResolved(context) || undefined,
    count: compileAmount('count', rule.count),
    seconds: compileAmount('time_window', rule.time_window),
    take: openCounter(config, limitId(host.place, { config, number }), host),
    note: createNote({ config, host }, rule.header_prefix ?? number),
    noteFailure,
  }
}

function createNote(
  { config, host }: Pick<Parts, 'config' | 'host'>,
  prefix: string | undefined,
): NoteQuota | undefined {
  return config.show_limit_quota_header ? compileNote(() => host.metadata(), prefix) : undefined
}
