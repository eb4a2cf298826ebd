import { runRequestPhase } from '../plugin/run.ts'
import type { PickContext } from '../upstream/balancer/balancer.ts'
import type { ResponseHead, ResponseSink, Sending, TransportError } from '../upstream/transport.ts'
import type { Upstream, UpstreamNode, UpstreamState } from '../upstream/upstream.ts'
import type { Exchange } from './exchange.ts'
import { GatewayError } from './gateway-error.ts'
import { Relay } from './relay.ts'
import { sendAttempt } from './send.ts'
import { judge, type Verdict } from './verdict.ts'

/** Sends the request to the upstream, to one node after the other as far as the rules allow, and relays what comes back. */
export function forward(exchange: Exchange, upstream: Upstream): void {
  new Forwarding(exchange, upstream.state).next()
}

/** The attempts of one request. */
class Forwarding implements PickContext<UpstreamNode>, ResponseSink {
  readonly #exchange: Exchange
  readonly #state: UpstreamState
  readonly #relay: Relay
  readonly #startedAt: number
  #retriesLeft: number
  #tried: UpstreamNode[] | undefined
  #node: UpstreamNode | undefined
  #sending: Sending | undefined
  #hasHead = false
  #isPicked = false
  #hadFreshConnection = false

  constructor(exchange: Exchange, state: UpstreamState) {
    this.#exchange = exchange
    this.#state = state
    this.#relay = new Relay(exchange, () => this.#sending?.resume())
    this.#retriesLeft = state.spec.retries ?? state.nodes.length - 1
    this.#startedAt = performance.now()
    exchange.abortAttempt = () => this.#abort()
  }

  hashKey(): string {
    return this.#state.hashKey(this.#exchange.context)
  }

  isExcluded(node: UpstreamNode): boolean {
    return this.#tried?.includes(node) ?? false
  }

  /** Picks the next node and attempts it. */
  next(): void {
    const { nodes, balancer } = this.#state
    if (nodes.length === 0) {
      this.#fail('no_nodes', { status: 503, message: 'the upstream has no nodes' })
      return
    }
    const node = nodes.length === 1 ? nodes[0] : balancer.pick(this)
    if (node) this.#prepare(node)
    else this.#giveUp(LAST_NODE_FAILED, 'every node of the upstream was tried')
  }

  onHead(head: ResponseHead): void {
    this.#hasHead = true
    this.#noteStatus(head.status)
    this.#relay.begin(head)
  }

  onData(chunk: Buffer): boolean {
    return this.#relay.write(chunk)
  }

  onLull(): void {
    if (this.#hasHead) this.#relay.flush()
  }

  onEnd(): void {
    this.#over()
    this.#relay.end()
  }

  onError(error: TransportError): void {
    this.#sending = undefined
    const { context, body } = this.#exchange
    const verdict = judge(error, context.upstream.method, body?.isReplayable ?? true)
    if (this.#hasHead) {
      this.#over()
      // Part of the response is out: ending the connection is the only way not to present it as the whole.
      this.#exchange.response.destroy(error)
      return
    }
    this.#noteStatus(verdict.status)
    this.#release()
    this.#again(verdict, error.message)
  }

  #prepare(node: UpstreamNode): void {
    const { context, globalChain, chain, report } = this.#exchange
    this.#node = node
    this.#isPicked = true
    context.node = node
    const walk = { context, report }
    if (globalChain.beforeProxy.length + chain.beforeProxy.length === 0) {
      this.#send(node)
      return
    }
    const steps = [...globalChain.beforeProxy, ...chain.beforeProxy]
    const result = runRequestPhase(steps, 'beforeProxy', walk)
    if (result instanceof Promise) void result.then((reply) => this.#afterPhase(node, reply))
    else this.#afterPhase(node, result)
  }

  #afterPhase(node: UpstreamNode, reply: Parameters<Exchange['answer']>[0] | undefined): void {
    if (this.#exchange.isOver) return
    if (!reply) {
      this.#send(node)
      return
    }
    this.#over()
    this.#exchange.answer(reply)
  }

  #send(node: UpstreamNode): void {
    const { stats } = this.#exchange.context
    stats.upstreamStartedAt ||= performance.now()
    const sending = sendAttempt(this.#exchange, { node, state: this.#state }, this)
    // A failure may have been told already, and another attempt begun.
    if (this.#node === node && !this.#sending && !this.#exchange.isOver) this.#sending = sending
  }

  #again(verdict: Verdict, message: string): void {
    if (this.#exchange.isOver) return
    if (verdict.retry === 'fresh-connection' && !this.#hadFreshConnection) {
      this.#hadFreshConnection = true
      setImmediate(() => this.#retry())
      return
    }
    if (verdict.retry === 'never' || this.#retriesLeft <= 0) {
      this.#fail(verdict.code, { status: verdict.status, message })
      return
    }
    const { retryTimeoutMs } = this.#state.spec
    if (retryTimeoutMs > 0 && performance.now() - this.#startedAt >= retryTimeoutMs) {
      this.#giveUp(RETRY_TIMEOUT, message)
      return
    }
    this.#retriesLeft--
    if (this.#state.nodes.length > 1) this.#tried = [...(this.#tried ?? []), this.#node!]
    // On a clean stack: a chain of refused connections must not recurse.
    setImmediate(() => this.next())
  }

  #retry(): void {
    if (!this.#exchange.isOver) this.#prepare(this.#node!)
  }

  /** A further attempt was due and could not be made: the trailing ` :` says so (contract §5.1). */
  #giveUp(end: { readonly code: string; readonly status: number }, message: string): void {
    this.#exchange.context.upstreamStatuses += ' :'
    this.#fail(end.code, { status: end.status, message })
  }

  #noteStatus(status: number): void {
    const { context } = this.#exchange
    const before = context.upstreamStatuses
    context.upstreamStatuses = before === undefined ? String(status) : `${before}, ${status}`
  }

  /** Tells the balancer that the attempt at the picked node has ended; once per pick. */
  #release(elapsedMs?: number): void {
    const node = this.#node
    if (node && this.#isPicked) this.#state.balancer.release?.(node, elapsedMs)
    this.#isPicked = false
  }

  #abort(): void {
    const sending = this.#sending
    this.#over()
    sending?.abort()
  }

  /** The last attempt has ended, one way or the other. */
  #over(): void {
    const { stats } = this.#exchange.context
    this.#sending = undefined
    this.#exchange.abortAttempt = undefined
    stats.upstreamEndedAt ||= performance.now()
    this.#release(this.#hasHead ? stats.upstreamEndedAt - stats.upstreamStartedAt : undefined)
  }

  #fail(code: string, { status, message }: { status: number; message: string }): void {
    this.#over()
    this.#exchange.fail(new GatewayError(code, 'upstream', { status, message }))
  }
}

const LAST_NODE_FAILED = { code: 'upstream_all_tried', status: 502 } as const
const RETRY_TIMEOUT = { code: 'upstream_retry_timeout', status: 502 } as const
