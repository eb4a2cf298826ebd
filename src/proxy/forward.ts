import type { Steps } from '../plugin/chain.ts'
import type { Reply } from '../plugin/definition.ts'
import { runRequestPhase, tapBody } from '../plugin/run.ts'
import { reportAnswer, reportFailure } from '../upstream/health/passive.ts'
import { type HealthPickContext, isLeftOut, pickHealthy } from '../upstream/health/pick-healthy.ts'
import type { ResponseHead, ResponseSink, Sending, TransportError } from '../upstream/transport.ts'
import type { Upstream, UpstreamNode, UpstreamState } from '../upstream/upstream.ts'
import { relayEarlyHints } from './early-hints.ts'
import type { Attempts, Exchange } from './exchange.ts'
import { GatewayError } from './gateway-error.ts'
import { AgentChoice } from './named-agent.ts'
import { canReplay } from './outgoing-body.ts'
import { Relay } from './relay.ts'
import { sendAttempt } from './send.ts'
import { judge, type Outcome, type Verdict } from './verdict.ts'

/** Sends the request to the upstream, to one node after the other as far as the rules allow, and relays what comes back. */
export function forward(exchange: Exchange, upstream: Upstream): void {
  new Forwarding(exchange, upstream.state).next()
}

/** The attempts of one request. As a sink it never throws: what goes wrong in here ends the request, not the connection's reader. */
class Forwarding implements Attempts, HealthPickContext, ResponseSink {
  draw = 0
  readonly #exchange: Exchange
  readonly #state: UpstreamState
  readonly #relay: Relay
  #retriesLeft: number
  #tried: UpstreamNode[] | undefined
  #node: UpstreamNode | undefined
  #sending: Sending | undefined
  #attemptAt = 0
  /** Of the response that has begun; 0 before. */
  #status = 0
  /** Ended, or given up. */
  #isOver = false
  /** Attempts beyond the first that the budget was charged with. */
  #retriesPaid = 0
  /** The balancer is owed a release for the current node. */
  #isPicked = false
  /** The next attempt goes to the same node, which only closed an idle connection; allowed once a request. */
  #isRepeat = false
  #mayRepeat = true
  /** Absent where the nodes do not come from the gateway's own registry. */
  readonly #agents: AgentChoice | undefined

  constructor(exchange: Exchange, state: UpstreamState) {
    this.#exchange = exchange
    this.#state = state
    this.#relay = new Relay(exchange, this)
    this.#retriesLeft = state.spec.retries ?? state.nodes.length - 1
    this.#agents = state.agents && new AgentChoice(state.agents, exchange.context)
    exchange.attempts = this
    state.budget.begin()
  }

  hashKey(): string {
    return this.#state.hashKey(this.#exchange.context)
  }

  isExcluded(node: UpstreamNode): boolean {
    return isLeftOut(node.health, this.draw) || (this.#tried?.includes(node) ?? false)
  }

  /** Picks a node, unless the last one is asked once more, and attempts it. */
  next(): void {
    if (this.#isOver || this.#exchange.isOver) return
    try {
      const node = this.#isRepeat ? this.#node : this.#pick()
      if (node) this.#prepare(node)
    } catch (error) {
      this.#crash(error)
    }
  }

  /** Asks the node for more after the relay said to pause. */
  resume(): void {
    this.#sending?.resume(this)
  }

  abort(): void {
    const sending = this.#sending
    this.#over()
    sending?.abort(this)
  }

  onEarlyHints(headers: readonly string[]): void {
    try {
      relayEarlyHints(this.#exchange, headers)
    } catch (error) {
      this.#crash(error)
    }
  }

  onHead(head: ResponseHead): void {
    this.#status = head.status
    this.#noteStatus(head.status)
    if (this.#retriesPaid > 0) this.#state.budget.refund(this.#retriesPaid)
    try {
      this.#relay.begin(head, this.#agents?.isFallback)
    } catch (error) {
      this.#crash(error)
    }
  }

  onData(chunk: Buffer, mayKeep: boolean): boolean {
    try {
      return this.#relay.write(chunk, mayKeep)
    } catch (error) {
      this.#crash(error)
      return true
    }
  }

  onLull(): void {
    if (this.#status === 0) return
    try {
      this.#relay.flush()
    } catch (error) {
      this.#crash(error)
    }
  }

  onEnd(trailers?: readonly string[]): void {
    const health = this.#node?.health
    if (health !== undefined) reportAnswer(health, this.#status)
    this.#over()
    try {
      this.#relay.end(trailers)
    } catch (error) {
      this.#crash(error)
    }
  }

  onError(error: TransportError): void {
    this.#sending = undefined
    const { context } = this.#exchange
    const verdict = judge(error, context.upstream.method, canReplay(this.#exchange))
    if (this.#status !== 0) {
      this.#report(error, verdict, false)
      this.#fail(verdict, error.message)
      return
    }
    this.#noteStatus(verdict.status)
    this.#again(verdict, error)
  }

  #report(error: TransportError, { status }: Verdict, isRetryDue: boolean): void {
    const health = this.#node?.health
    if (health !== undefined) reportFailure(health, { error, status, isRetryDue })
  }

  #pick(): UpstreamNode | undefined {
    const agents = this.#agents
    if (agents === undefined) return this.#pickAny()
    const named = agents.pick(this.#state, this.#tried)
    this.#isPicked = named !== undefined
    const node = named ?? this.#pickAny()
    agents.chose(node)
    return node
  }

  #pickAny(): UpstreamNode | undefined {
    const { nodes } = this.#state
    if (nodes.length === 1) return nodes[0]
    if (nodes.length === 0) {
      this.#fail(NO_NODES, this.#state.whyEmpty ?? 'the upstream has no nodes')
      return undefined
    }
    const node = pickHealthy(this.#state, this)
    this.#isPicked = node !== undefined
    if (!node) this.#giveUp(LAST_NODE_FAILED, 'every node of the upstream was tried')
    return node
  }

  #prepare(node: UpstreamNode): void {
    const { context, globalChain, chain } = this.#exchange
    this.#node = node
    context.node = node
    const steps = joined(globalChain.beforeProxy, chain.beforeProxy)
    if (steps.length === 0) {
      this.#send(node)
      return
    }
    const result = runRequestPhase(steps, 'beforeProxy', this.#exchange)
    if (result instanceof Promise) {
      void result.then((reply) => this.#afterPhase(node, reply)).catch((error) => this.#crash(error))
    } else this.#afterPhase(node, result)
  }

  #afterPhase(node: UpstreamNode, reply: Reply | undefined): void {
    if (this.#isOver || this.#exchange.isOver) return
    if (!reply) {
      this.#send(node)
      return
    }
    this.#over()
    this.#exchange.answer(reply)
  }

  #send(node: UpstreamNode): void {
    const { stats } = this.#exchange.context
    const needsFreshConnection = this.#isRepeat
    this.#isRepeat = false
    if (this.#attemptAt === 0) this.#tapBody()
    this.#attemptAt = performance.now()
    stats.upstreamStartedAt ||= this.#attemptAt
    this.#sending = sendAttempt(this.#exchange, { node, state: this.#state, needsFreshConnection }, this)
  }

  #tapBody(): void {
    const { context, globalChain, chain, report } = this.#exchange
    if (globalChain.tapBody.length === 0 && chain.tapBody.length === 0) return
    tapBody([globalChain, chain], context, report)
  }

  #again(verdict: Verdict, error: TransportError): void {
    if (verdict.retry === 'fresh-connection' && this.#mayRepeat) {
      this.#mayRepeat = false
      this.#isRepeat = true
    } else {
      const isRetryDue = verdict.retry !== 'never' && this.#retriesLeft > 0
      this.#report(error, verdict, isRetryDue)
      this.#release()
      if (isRetryDue && this.#isPastDeadline()) {
        this.#giveUp(RETRY_TIMEOUT, error.message)
        return
      }
      if (!isRetryDue || !this.#state.budget.tryRetry()) {
        this.#fail(verdict, error.message)
        return
      }
      this.#retriesPaid++
      this.#retriesLeft--
      if (this.#state.nodes.length > 1) this.#tried = [...(this.#tried ?? []), this.#node!]
    }
    // On a clean stack: a chain of refused connections must not recurse.
    setImmediate(() => this.next())
  }

  #isPastDeadline(): boolean {
    const { retryTimeoutMs } = this.#state.spec
    const { upstreamStartedAt } = this.#exchange.context.stats
    return retryTimeoutMs > 0 && performance.now() - upstreamStartedAt >= retryTimeoutMs
  }

  /** A further attempt was due and could not be made: the trailing ` :` says so (contract §5.1). */
  #giveUp(outcome: Outcome, message: string): void {
    const { context } = this.#exchange
    if (context.upstreamStatuses !== undefined) context.upstreamStatuses += ' :'
    this.#fail(outcome, message)
  }

  #noteStatus(status: number): void {
    const { context } = this.#exchange
    const before = context.upstreamStatuses
    context.upstreamStatuses = before === undefined ? String(status) : `${before}, ${status}`
  }

  /** Tells the balancer that the attempt at the picked node has ended; once per pick. */
  #release(elapsedMs?: number): void {
    if (!this.#isPicked) return
    this.#isPicked = false
    this.#state.balancer.release?.(this.#node!, elapsedMs)
  }

  /** The last attempt has ended, one way or the other. */
  #over(): void {
    const { stats } = this.#exchange.context
    this.#sending = undefined
    this.#exchange.attempts = undefined
    if (stats.upstreamStartedAt > 0) stats.upstreamEndedAt ||= performance.now()
    this.#release(this.#status === 0 ? undefined : stats.upstreamEndedAt - this.#attemptAt)
    if (this.#isOver) return
    this.#isOver = true
    this.#state.budget.end()
  }

  #fail({ code, status }: Outcome, message: string): void {
    this.#over()
    const failure = { status, message, ...this.#agents?.failure({ code, status }) }
    this.#exchange.fail(new GatewayError(code, 'upstream', failure))
  }

  #crash(error: unknown): void {
    this.abort()
    this.#exchange.crash(error)
  }
}

const NO_NODES: Outcome = { code: 'no_nodes', status: 503 }
const LAST_NODE_FAILED: Outcome = { code: 'upstream_all_tried', status: 502 }
const RETRY_TIMEOUT: Outcome = { code: 'upstream_retry_timeout', status: 502 }

function joined(first: Steps, second: Steps): Steps {
  if (first.length === 0) return second
  return second.length === 0 ? first : [...first, ...second]
}
