import { compileTemplate, type InstanceHost, type RequestContext, requestSlot } from '../../src/plugin/api.ts'
import { type Amount, compileAmount } from '../_shared/limit/amount.ts'
import type { NoteFailure } from '../_shared/limit/failures.ts'
import { compileKey } from '../_shared/limit/key.ts'
import { limitId } from '../_shared/limit/limit-id.ts'
import { type Try, tryInTurn, type Verdict } from '../_shared/limit/tries.ts'
import { type Enter, type Entered, openPlaces } from './places.ts'
import type { ConnRule, LimitConnConfig } from './schema.ts'

const MS_PER_SECOND = 1000

/** What one request holds, of all limits it has met. */
interface Held {
  readonly leave: ((context: RequestContext) => void)[]
  /** Longest of the delays it was told and has not waited for. */
  delayMs: number
  waitedMs: number
  /** Over before it was known whether it has a place: then that is given back at once. */
  isOver: boolean
}

const held = requestSlot<Held>('limit-conn')

/** Gives all places of the request back; once, however it ended. */
export function leavePlaces(context: RequestContext): void {
  const own = context.get(held)
  if (!own || own.isOver) return
  own.isOver = true
  for (const leave of own.leave) leave(context)
}

/** How long the request has to be held back; asked once by each instance that does so. */
export function takeDelay(context: RequestContext): number {
  const own = context.get(held)
  if (!own) return 0
  const { delayMs } = own
  own.waitedMs += delayMs
  own.delayMs = 0
  return delayMs
}

interface Parts {
  readonly config: LimitConnConfig
  readonly host: InstanceHost
  readonly noteFailure: NoteFailure
}

/** Takes the places of a request; {@link leavePlaces} has to be called at its end, whatever the verdict. */
export function createLimiter(parts: Parts): (context: RequestContext) => Verdict | Promise<Verdict> {
  const { config } = parts
  const tries = config.rules
    ? config.rules.map((rule, i) => tryOf(rule, templateKey(rule.key), { ...parts, number: i + 1 }))
    : [tryOf(config as ConnRule, compileKey(config.key!, config.key_type), { ...parts, number: 0 })]
  return (context) => {
    if (!context.get(held)) context.set(held, { leave: [], delayMs: 0, waitedMs: 0, isOver: false })
    return tryInTurn(tries, context)
  }
}

/** Throws when a constant amount is no number. */
export function checkRule({ conn, burst }: ConnRule): void {
  compileAmount('conn', conn)
  compileAmount('burst', burst, 0)
}

function templateKey(key: string): (context: RequestContext) => string | undefined {
  const template = compileTemplate(key)
  return (context) => template.renderResolved(context) || undefined
}

interface Limit {
  readonly conn: Amount
  readonly burst: Amount
  readonly enter: Enter
  readonly noteFailure: NoteFailure
  readonly pace: Pace
}

function tryOf(
  rule: ConnRule,
  key: (context: RequestContext) => string | undefined,
  { config, host, noteFailure, number }: Parts & { readonly number: number },
): Try<RequestContext> {
  const limit: Limit = {
    conn: compileAmount('conn', rule.conn),
    burst: compileAmount('burst', rule.burst, 0),
    enter: openPlaces(config, { id: limitId(host.place, { config, number }), host, noteFailure }),
    noteFailure,
    pace: new Pace(config.default_conn_delay * MS_PER_SECOND, config.only_use_default_delay),
  }
  return (context) => {
    const counted = key(context)
    return counted === undefined ? 'skipped' : apply(limit, counted, context)
  }
}

function apply(limit: Limit, key: string, context: RequestContext): Verdict | Promise<Verdict> {
  const conn = limit.conn(context)
  const burst = limit.burst(context)
  if (conn === undefined || burst === undefined) {
    limit.noteFailure('conn or burst did not come to a number')
    return 'failed'
  }
  const keep = (entered: Entered) => keepPlace(entered, { context, conn, pace: limit.pace })
  const entered = limit.enter(key, conn + burst)
  if (!(entered instanceof Promise)) return keep(entered)
  return entered.then(keep, (error: unknown) => {
    limit.noteFailure(error)
    return 'failed'
  })
}

interface Keeping {
  readonly context: RequestContext
  readonly conn: number
  readonly pace: Pace
}

function keepPlace(entered: Entered, { context, conn, pace }: Keeping): Verdict {
  if (!entered) return 'rejected'
  const own = context.get(held)!
  if (own.isOver) {
    entered.leave()
    return 'passed'
  }
  own.leave.push((ended) => {
    entered.leave()
    pace.learn(ended.stats.upstreamMs ?? Math.max(0, ended.stats.totalMs - own.waitedMs))
  })
  own.delayMs = Math.max(own.delayMs, pace.delayMs(entered.count, conn))
  return 'passed'
}

/** How long one full `conn` takes: what was configured at first, then half of it and half of what the last request took. */
class Pace {
  #unitMs: number
  readonly #isFixed: boolean

  constructor(unitMs: number, isFixed: boolean) {
    this.#unitMs = unitMs
    this.#isFixed = isFixed
  }

  delayMs(count: number, conn: number): number {
    return this.#unitMs * Math.floor((count - 1) / conn)
  }

  learn(tookMs: number): void {
    if (!this.#isFixed) this.#unitMs = (this.#unitMs + tookMs) / 2
  }
}
