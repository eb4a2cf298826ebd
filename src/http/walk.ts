import { BodyGoneError } from '../plugin/context/client-body.ts'
import type { Reply } from '../plugin/definition.ts'
import { runRequestPhase } from '../plugin/run.ts'
import type { Exchange } from '../proxy/exchange.ts'
import { forward } from '../proxy/forward.ts'
import type { ConsumerEntry } from '../snapshot/plan.ts'
import type { PluginUpstream } from '../snapshot/plugin-upstream.ts'

type Hop = (exchange: Exchange) => Reply | undefined | Promise<Reply | undefined>

/** What a plugin chose is not configured (any more). */
const UPSTREAM_MISSING: Reply = { status: 503 }
const ROUTE_NOT_FOUND: Reply = { status: 404, body: { error_msg: '404 Route Not Found' } }

/**
 * What happens between match and upstream, in the order of contract §6: global rewrite, route rewrite, the rewrite of what the
 * consumer brought, global access, route access. Global rules see unmatched requests too.
 */
const HOPS: readonly Hop[] = [
  (exchange) => exchange.plan?.refusal,
  (exchange) => readForVariables(exchange),
  (exchange) => runRequestPhase(exchange.globalChain.rewrite, 'rewrite', exchange),
  (exchange) => runRequestPhase(exchange.chain.rewrite, 'rewrite', exchange),
  (exchange) => joinConsumer(exchange),
  (exchange) => readForVariables(exchange),
  (exchange) => runRequestPhase(exchange.globalChain.access, 'access', exchange),
  (exchange) => (exchange.plan ? undefined : ROUTE_NOT_FOUND),
  (exchange) => runRequestPhase(exchange.chain.access, 'access', exchange),
]

/** Walks the hops from `index` on and forwards the request when none of them answered. Never throws, not later either. */
export function walk(exchange: Exchange, index = 0): void {
  try {
    walkFrom(exchange, index)
  } catch (error) {
    exchange.crash(error)
  }
}

function walkFrom(exchange: Exchange, index: number): void {
  for (let hop = index; hop < HOPS.length; hop++) {
    const result = HOPS[hop]!(exchange)
    if (result === undefined) continue
    if (!(result instanceof Promise)) exchange.answer(result)
    else {
      void result.then(
        (reply) => goOn(exchange, hop + 1, reply),
        (error) => exchange.crash(error),
      )
    }
    return
  }
  leave(exchange)
}

function goOn(exchange: Exchange, index: number, reply: Reply | undefined): void {
  // What has taken too long may have been answered meanwhile.
  if (exchange.isOver || exchange.response.headersSent) return
  if (reply) exchange.answer(reply)
  else walk(exchange, index)
}

/** Plugins whose configurations name variables of the body find it read. */
function readForVariables({ context, globalChain, chain }: Exchange): Promise<undefined> | undefined {
  if (!(globalChain.needsBody || chain.needsBody) || !context.hasUnreadBody) return undefined
  return context.readForVariables().then(nothing, (error) => {
    // Nobody is there any more, and the walk ends by itself.
    if (!(error instanceof BodyGoneError)) throw error
  }) as Promise<undefined>
}

const nothing = () => undefined

function joinConsumer(exchange: Exchange): Reply | undefined | Promise<Reply | undefined> {
  const consumer = exchange.context.foundConsumer as ConsumerEntry | undefined
  if (!consumer || !exchange.plan) return undefined
  if (consumer.refusal) return consumer.refusal
  const { chain, added } = exchange.plan.chainFor(consumer)
  exchange.chain = chain
  return runRequestPhase(added.rewrite, 'rewrite', exchange)
}

function leave(exchange: Exchange): void {
  const chosen = exchange.context.chosenUpstream as PluginUpstream | undefined
  const upstream = chosen ? chosen.current() : exchange.plan!.upstream
  if (upstream) forward(exchange, upstream)
  else exchange.answer(chosen ? UPSTREAM_MISSING : exchange.plan!.noUpstream)
}
