import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from '../observe/logger.ts'
import { EMPTY_CHAIN } from '../plugin/chain.ts'
import type { Context } from '../plugin/context/context.ts'
import type { Reply } from '../plugin/definition.ts'
import type { FailureReport } from '../plugin/run.ts'
import type { Exchange, ProxyOptions } from '../proxy/exchange.ts'
import type { GatewayError } from '../proxy/gateway-error.ts'
import { bodyOf, type RequestBody } from '../proxy/request-body.ts'
import type { Plan } from '../snapshot/plan.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { closeExchange, type RequestObserver } from './close.ts'
import { type FrontDoor, openRequest, type Refusal } from './open.ts'
import { renderReply, writeReply } from './reply-error.ts'
import { walk } from './walk.ts'

/** Gives the snapshot that a request begins with, and holds what it consists of. */
export interface SnapshotSource {
  readonly current: Snapshot
  pin(): { release(): void }
}

export interface HandlerOptions {
  readonly snapshots: SnapshotSource
  readonly door: FrontDoor
  readonly proxy: ProxyOptions
  readonly logger: Logger
  readonly report: FailureReport
  readonly observers: readonly RequestObserver[]
}

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void

/** The data path's entry: one call per request, from any listener. */
export function createHandler(options: HandlerOptions): RequestHandler {
  return (request, response) => {
    const snapshot = options.snapshots.current
    const opened = openRequest(request, snapshot.consumers, options.door)
    if (!('context' in opened)) {
      refuse(response, opened, options.proxy.serverHeader)
      return
    }
    const { context, matchPath } = opened
    const pin = options.snapshots.pin()
    const plan = snapshot.match(matchPath === context.path ? context : withPath(context, matchPath))
    const exchange = new HttpExchange({ request, response, context, plan, snapshot }, options)
    response.on('close', () => {
      closeExchange(exchange, options.observers)
      pin.release()
    })
    walk(exchange)
  }
}

interface ExchangeParts {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly context: Context
  readonly plan: Plan | undefined
  readonly snapshot: Snapshot
}

class HttpExchange implements Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly context: Context
  readonly plan: Plan | undefined
  readonly body: RequestBody | undefined
  readonly options: ProxyOptions
  readonly report: FailureReport
  globalChain: Exchange['globalChain']
  chain: Exchange['chain']
  isOver = false
  abortAttempt: (() => void) | undefined = undefined
  readonly #logger: Logger

  constructor({ request, response, context, plan, snapshot }: ExchangeParts, options: HandlerOptions) {
    this.request = request
    this.response = response
    this.context = context
    this.plan = plan
    this.body = bodyOf(request, () => continueIfExpected(request, response))
    this.options = options.proxy
    this.report = options.report
    this.#logger = options.logger
    this.globalChain = snapshot.global.for(plan)
    this.chain = plan?.chain ?? EMPTY_CHAIN
    context.route = plan?.route
  }

  answer(reply: Reply): void {
    if (this.isOver || this.response.headersSent) return
    writeReply(this, reply)
  }

  fail(error: GatewayError): void {
    const { context } = this
    this.#logger.warn(
      {
        request: context.id,
        route: context.route?.id,
        code: error.code,
        upstream: context.var('upstream_addr'),
      },
      error.message,
    )
    this.answer({ status: error.status })
  }
}

/** The interim answer is given only when the body is wanted: a request that is refused is not asked for its body. */
function continueIfExpected(request: IncomingMessage, response: ServerResponse): void {
  if (request.headers.expect?.toLowerCase() === '100-continue') response.writeContinue()
}

/** A request that could not be read: no route, no plugin, and the connection is not used again. */
function refuse(response: ServerResponse, { status }: Refusal, serverHeader: string | false): void {
  const { headers, body } = renderReply({ status }, undefined)
  if (serverHeader !== false) headers.set('Server', serverHeader)
  headers.set('Content-Length', String(body.length))
  headers.set('Connection', 'close')
  response.writeHead(status, headers.raw() as string[])
  response.end(body)
}

/** The same request, matched with another form of its path. */
function withPath(context: Context, path: string) {
  return {
    path,
    host: context.host,
    rawHost: context.rawHost,
    method: context.method,
    remoteAddr: context.remoteAddr,
    var: (name: string) => context.var(name),
    get pathParams() {
      return context.pathParams
    },
    set pathParams(params: Record<string, string> | undefined) {
      context.pathParams = params
    },
  }
}
