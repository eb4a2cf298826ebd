import {
  ConfigError,
  compileExpression,
  compileTemplate,
  definePlugin,
  type Expression,
  type Reply,
  type RequestContext,
} from '../../src/plugin/api.ts'
import { hold, releaseHeld } from '../_shared/delay/hold.ts'
import { checkReplyHeaders, compileReplyHeaders } from '../_shared/headers/reply-headers.ts'
import { type FaultInjectionConfig, schema } from './schema.ts'

type Happens = (context: RequestContext) => boolean
type MakeReply = (context: RequestContext) => Reply

interface Chance {
  readonly percentage?: number
  readonly vars?: readonly (readonly unknown[])[]
}

/** Delays and aborts requests, to see how clients and other services take it (contract §7.3). */
export default definePlugin<FaultInjectionConfig>({
  name: 'fault-injection',
  priority: 11000,
  phases: ['rewrite', 'log'],
  schema,
  check({ abort, delay }) {
    compileExpressions(abort?.vars)
    compileExpressions(delay?.vars)
    if (abort?.headers) checkReplyHeaders(abort.headers)
  },
  compile({ abort, delay }) {
    const isAborted = abort ? compileChance(abort) : never
    const isDelayed = delay ? compileChance(delay) : never
    const makeReply = abort && compileReply(abort)
    const delayMs = (delay?.duration ?? 0) * 1000
    const abortIfDue = (context: RequestContext) =>
      makeReply && isAborted(context) ? makeReply(context) : undefined
    return {
      rewrite(context) {
        if (!isDelayed(context)) return abortIfDue(context)
        return hold(context, delayMs).then((left) => left ?? abortIfDue(context))
      },
      ...(delay && { log: releaseHeld }),
    }
  },
})

const never = () => false

/** Whether it happens to a request: one of the expressions holds, or there is none, and the dice say so. */
function compileChance({ percentage = 100, vars }: Chance): Happens {
  const expressions = compileExpressions(vars)
  return (context) =>
    Math.random() * 100 < percentage &&
    (expressions.length === 0 || expressions.some((one) => one.test(context)))
}

function compileReply({
  http_status: status,
  body,
  headers,
}: NonNullable<FaultInjectionConfig['abort']>): MakeReply {
  const render = headers && compileReplyHeaders(headers)
  const template = body === undefined ? undefined : compileTemplate(body)
  if (!render && (!template || template.isConstant)) {
    const reply: Reply = body === undefined ? { status } : { status, body }
    return () => reply
  }
  return (context) => ({
    status,
    ...(template && { body: template.render(context) }),
    ...(render && { headers: render(context) }),
  })
}

function compileExpressions(vars: Chance['vars'] = []): Expression[] {
  try {
    return vars.map((rules) => compileExpression(rules as unknown[]))
  } catch (error) {
    throw new ConfigError((error as Error).message)
  }
}
