import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from '../observe/logger.ts'
import { EMPTY_CHAIN } from '../plugin/chain.ts'
import { BodyGoneError } from '../plugin/context/client-body.ts'
import type { Context } from '../plugin/context/context.ts'
import type { Reply } from '../plugin/definition.ts'
import type { FailureReport } from '../plugin/run.ts'
import type { Trace } from '../plugin/trace.ts'
import type { Exchange, ProxyOptions } from '../proxy/exchange.ts'
import { GatewayError } from '../proxy/gateway-error.ts'
import { enforceGrpcDeadline } from '../proxy/grpc-deadline.ts'
import { type BodyLimits, type BodyOwner, bodyOf, type RequestBody } from '../proxy/request-body.ts'
import type { Plan } from '../snapshot/plan.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { closeExchange, type RequestObserver } from './close.ts'
import { type FrontDoor, openRequest } from './open.ts'
import type { Refusal, RefusalObserver } from './refusal.ts'
import { lingerAfter } from './refuse-connection.ts'
import { cutShort, writeBareStatus, writeReply } from './reply-error.ts'
import { askedProtocol } from './upgrade-request.ts'
import { walk } from './walk.ts'

/** Gives the snapshot that a request begins with, and holds what it consists of. */
export interface SnapshotSource {
  readonly current: Snapshot
  pin(): Pin
}

interface Pin {
  release(): void
}

export interface HandlerOptions {
  readonly snapshots: SnapshotSource
  readonly door: FrontDoor
  readonly proxy: ProxyOptions
  readonly bodyLimits: BodyLimits
  readonly logger: Logger
  readonly report: FailureReport
  /** Longest time that one phase of one plugin may take to settle. */
  readonly phaseTimeoutMs: number
  /** A trace for a request that somebody wants to look at. */
  startTrace(): Trace | undefined
  readonly observers: readonly RequestObserver[]
  /** Told of what is answered before a context exists. */
  readonly onRefused: RefusalObserver
}

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void

/** The data path's entry: one call per request, from any listener. Never throws. */
export function createHandler(options: HandlerOptions): RequestHandler {
  return (request, response) => {
    const pin = options.snapshots.pin()
    try {
      const exchange = begin(request, response, options)
      if (exchange) {
        exchange.pin = pin
        response.on('close', () => exchange.close())
        if (request.headers['grpc-timeout'] !== undefined) enforceGrpcDeadline(exchange)
        if (exchange.context.isBodyWanted) void exchange.matchWithBody()
        else walk(exchange)
        return
      }
    } catch (error) {
      options.logger.error({ err: error, target: request.url }, 'a request could not be matched')
      refuse(response, 500, options)
    }
    pin.release()
  }
}

/** Reads and matches a request; refuses what cannot be read. */
function begin(
  request: IncomingMessage,
  response: ServerResponse,
  options: HandlerOptions,
): HttpExchange | undefined {
  const snapshot = options.snapshots.current
  const opened = openRequest(request, snapshot.consumers, options.door)
  if (!('context' in opened)) return turnAway(request, response, { ...options, ...opened })
  const { context, matchPath, tls } = opened
  if (tls && !tls.mayRequest(context.host, context.path, snapshot.certificates)) {
    return turnAway(request, response, {
      ...options,
      status: 400,
      reason: 'client-certificate',
    })
  }
  const exchange = new HttpExchange({ request, response, context, matchPath }, options)
  exchange.match(snapshot)
  return exchange
}

function turnAway(
  request: IncomingMessage,
  response: ServerResponse,
  { status, reason, ...options }: HandlerOptions & Refusal,
): undefined {
  options.onRefused({ status, reason, request, peerAddr: request.socket.remoteAddress ?? '' })
  if (!request.complete) {
    lingerAfter(response)
    request.resume()
  }
  refuse(response, status, options)
}

/** No route, no plugin, and the connection is not used again. */
function refuse(response: ServerResponse, status: number, { proxy }: HandlerOptions): void {
  writeBareStatus(response, status, { serverHeader: proxy.serverHeader, mayReuse: false })
}

interface ExchangeParts {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly context: Context
  /** See {@link OpenedRequest}. */
  readonly matchPath: string
}

class HttpExchange implements Exchange, BodyOwner {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly context: Context
  readonly body: RequestBody | undefined
  plan: Plan | undefined = undefined
  upgrade: string | undefined = undefined
  readonly options: ProxyOptions
  readonly report: FailureReport
  readonly phaseTimeoutMs: number
  failed: Exchange['failed'] = undefined
  globalChain: Exchange['globalChain'] = EMPTY_CHAIN
  chain: Exchange['chain'] = EMPTY_CHAIN
  /** Of the snapshot that it was matched in. */
  pin: Pin | undefined = undefined
  isOver = false
  attempts: Exchange['attempts'] = undefined
  readonly #handler: HandlerOptions
  readonly #matchPath: string

  constructor({ request, response, context, matchPath }: ExchangeParts, handler: HandlerOptions) {
    this.request = request
    this.response = response
    this.context = context
    this.body = bodyOf(request, this, handler.bodyLimits)
    this.options = handler.proxy
    this.report = handler.report
    this.phaseTimeoutMs = handler.phaseTimeoutMs
    this.#handler = handler
    this.#matchPath = matchPath
    context.clientBody = this.body
    context.trace = handler.startTrace()
  }

  /** Finds the request's plan, unless the context says afterwards that the body is wanted for that. */
  match(snapshot: Snapshot): void {
    const { context, request } = this
    const path = this.#matchPath
    const plan = snapshot.match(path === context.path ? context : withPath(context, path))
    this.plan = plan
    this.upgrade = plan?.isWebsocketEnabled ? askedProtocol(request) : undefined
    this.globalChain = snapshot.global.for(plan)
    this.chain = plan?.chain ?? EMPTY_CHAIN
    context.route = plan?.route
  }

  /** Reads the body that conditions of routes look at, matches with what is configured by then, and walks on. Never rejects. */
  async matchWithBody(): Promise<void> {
    const { context, response } = this
    const { snapshots } = this.#handler
    try {
      await context.readForVariables()
      // Too long or too slow a body was answered already.
      if (this.isOver || response.headersSent) return
      const before = this.pin
      this.pin = snapshots.pin()
      before?.release()
      context.isBodyWanted = false
      context.useConsumers(snapshots.current.consumers)
      this.match(snapshots.current)
      walk(this)
    } catch (error) {
      if (!(error instanceof BodyGoneError)) this.crash(error)
    }
  }

  answer(reply: Reply): void {
    if (this.isOver || this.response.headersSent) return
    try {
      writeReply(this, reply)
    } catch (error) {
      this.crash(error)
    }
  }

  fail(error: GatewayError): void {
    const { context, response } = this
    const { logger } = this.#handler
    const facts = { request: context.id, route: context.route?.id, code: error.code }
    logger.warn({ ...facts, upstream: context.var('upstream_addr') }, error.message)
    // Part of a response is out: to cut the connection is the only way not to present it as the whole.
    if (response.headersSent) cutShort(this, error.status)
    else this.answer({ ...error.reply, status: error.status })
  }

  crash(error: unknown): void {
    const { context, response } = this
    const facts = { request: context.id, route: context.route?.id, err: error }
    this.#handler.logger.error(facts, 'a request failed inside the gateway')
    this.attempts?.abort()
    if (this.isOver) return
    if (response.headersSent) {
      response.destroy()
      return
    }
    const { serverHeader } = this.options
    context.beginResponse(writeBareStatus(response, 500, { serverHeader, mayReuse: !this.body?.isHeldBack }))
  }

  /** The response has ended or the client has left. */
  close(): void {
    try {
      closeExchange(this, this.#handler.observers)
    } catch (error) {
      this.#handler.logger.error({ err: error }, 'what watches requests failed')
    } finally {
      this.body?.forget()
      this.pin?.release()
    }
  }

  onBodyWanted(): void {
    this.response.writeContinue()
  }

  onBodyStalled(): void {
    this.#giveUpBody(BODY_TIMEOUT, 'the client sent nothing of its body for too long')
  }

  onBodyTooSlow(): void {
    // Whoever is answered while it sends has the node's leave to take its time.
    if (!this.response.headersSent) this.#giveUpBody(BODY_TIMEOUT, 'the client sends its body too slowly')
  }

  onBodyTooLarge(): void {
    this.#giveUpBody(BODY_TOO_LARGE, 'the body of the request is longer than allowed')
  }

  /** The rest of the body may be on its way: it is read for a moment, so that the client gets to read the answer. */
  #giveUpBody({ status, reason }: Refusal, message: string): void {
    const { request, response } = this
    this.attempts?.abort()
    response.shouldKeepAlive = false
    lingerAfter(response)
    const peerAddr = request.socket.remoteAddress ?? ''
    this.#handler.onRefused({ status, reason, request, peerAddr, isLogged: true })
    const code = `client_${reason.replaceAll('-', '_')}`
    this.fail(new GatewayError(code, 'client', { status, message }))
  }
}

const BODY_TIMEOUT: Refusal = { status: 408, reason: 'body-timeout' }
const BODY_TOO_LARGE: Refusal = { status: 413, reason: 'body-too-large' }

/** The same request, matched with another form of its path. */
function withPath(context: Context, path: string) {
  return {
    path,
    host: context.host,
    rawHost: context.rawHost,
    method: context.method,
    remoteAddr: context.remoteAddr,
    var: (name: string) => context.var(name),
    hasUnreadBody: context.hasUnreadBody,
    get isBodyWanted() {
      return context.isBodyWanted
    },
    set isBodyWanted(isWanted: boolean) {
      context.isBodyWanted = isWanted
    },
    get pathParams() {
      return context.pathParams
    },
    set pathParams(params: Record<string, string> | undefined) {
      context.pathParams = params
    },
  }
}
