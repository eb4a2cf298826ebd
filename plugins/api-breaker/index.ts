import {
  definePlugin,
  type NodeOperation,
  type PluginHost,
  type Reply,
  type RequestContext,
  requestSlot,
} from '../../src/plugin/api.ts'
import { checkReplyHeaders, compileReplyHeaders } from '../_shared/headers/reply-headers.ts'
import { failureNotes } from '../_shared/limit/failures.ts'
import { type CircuitState, Circuits, type Thresholds } from './circuit.ts'
import { type ApiBreakerConfig, schema } from './schema.ts'

/** The argument of the node operation; plain data, because it may go to another process. */
interface Act extends Thresholds {
  readonly act: 'ask' | 'fail' | 'succeed'
  readonly key: string
}

/** Whether the circuit of the request had failures when it came; else a success need not be told. */
const isWatched = requestSlot<boolean>('api-breaker')

/** Spares an upstream that fails: answers in its place for a while (contract §7.3). */
export default definePlugin<ApiBreakerConfig>({
  name: 'api-breaker',
  priority: 1005,
  phases: ['access', 'log'],
  schema,
  nodeOperations: { circuits: circuitsOperation },
  check({ break_response_headers: headers }) {
    if (headers) checkReplyHeaders(mapOf(headers))
  },
  compile(config, host) {
    const operate = host.nodeOperation<Act, CircuitState>('circuits')
    const makeReply = compileReply(config)
    const { unhealthy, healthy } = config
    const thresholds: Thresholds = {
      failures: unhealthy.failures,
      successes: healthy.successes,
      maxBreakS: config.max_breaker_sec,
    }
    const failures = new Set(unhealthy.http_statuses)
    const successes = new Set(healthy.http_statuses)
    const noteUntold = failureNotes('api-breaker', host, true)
    const tell = (act: 'fail' | 'succeed', context: RequestContext) => {
      const told = operate({ act, key: keyOf(context), ...thresholds })
      if (told instanceof Promise) told.catch(noteUntold)
    }
    return {
      access(context) {
        const answer = (state: CircuitState) => {
          if (state === 'watched') context.set(isWatched, true)
          return state === 'open' ? makeReply(context) : undefined
        }
        const state = operate({ act: 'ask', key: keyOf(context), ...thresholds })
        return state instanceof Promise ? state.then(answer, noteUntold) : answer(state)
      },
      log(context) {
        const status = upstreamStatus(context)
        if (status === undefined) return
        if (failures.has(status)) tell('fail', context)
        else if (successes.has(status) && context.get(isWatched)) tell('succeed', context)
      },
    }
  },
})

function circuitsOperation({ clock }: PluginHost): NodeOperation<Act, CircuitState> {
  const circuits = new Circuits()
  return ({ act, key, ...thresholds }) => {
    const now = clock.now()
    if (act === 'fail') circuits.failed(key, thresholds, now)
    if (act === 'succeed') circuits.succeeded(key, thresholds, now)
    return circuits.stateOf(key, thresholds, now)
  }
}

function keyOf({ host, path }: RequestContext): string {
  return host + path
}

/** What the last node that was asked has answered, or what stands for its silence; nothing when none was asked. */
function upstreamStatus(context: RequestContext): number | undefined {
  const statuses = context.var('upstream_status')
  if (statuses !== undefined)
    return Number(
      String(statuses)
        .split(/[ ,:]+/)
        .at(-1),
    )
  return context.hasResponse && context.response.source === 'upstream' ? context.response.status : undefined
}

function compileReply(config: ApiBreakerConfig): (context: RequestContext) => Reply {
  const { break_response_code: status, break_response_body: body, break_response_headers: lines } = config
  // Without a body the page of the status is sent, as APISIX does, and its own headers with it.
  if (body === undefined) return () => ({ status })
  const render = compileReplyHeaders(mapOf(lines ?? []))
  return (context) => ({ status, body, headers: render(context) })
}

function mapOf(lines: NonNullable<ApiBreakerConfig['break_response_headers']>): Record<string, string> {
  return Object.fromEntries(lines.map(({ key, value }) => [key, value]))
}
