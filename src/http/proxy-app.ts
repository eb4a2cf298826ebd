import { createServer, type IncomingMessage, METHODS, type Server, type ServerOptions } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import httpProxy from '@fastify/http-proxy'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Logger } from '../observe/logger.ts'
import type { ConnectionGate } from './connection-gate.ts'
import { Drainable } from './drainable.ts'
import { acceptAlpn, acceptPreface } from './h2/accept.ts'
import { type CutObserver, Http2Door } from './h2/door.ts'
import type { RequestHandler } from './handle.ts'
import { isAhead, takeInTurn } from './in-turn.ts'
import { type LeaveObserver, limitAge } from './leave.ts'
import type { ConnectionUse, OverloadGate } from './pressure/overload-gate.ts'
import type { Refusal, RefusalObserver } from './refusal.ts'
import { endWith, refuseUnread } from './refuse-connection.ts'
import { isLastRequest, isNextLast } from './request-count.ts'
import { type TlsTermination, terminateTls } from './tls/terminate.ts'
import { takeUpgrade } from './upgrade.ts'
import { UpgradeRequest } from './upgrade-request.ts'

export interface ListenAddress {
  readonly ip: string
  readonly port: number
  /** Of a listener without TLS: HTTP/2 for clients that begin with it (h2c with prior knowledge), beside HTTP/1.1. */
  readonly enable_http2?: boolean
}

/** The listeners with TLS. */
export interface SecureListening {
  readonly addresses: readonly ListenAddress[]
  readonly termination: TlsTermination
}

/** What a listener allows a connection (docs/reference/limits.md). */
export interface ListenerLimits {
  /** Request line and headers together. */
  readonly headBytes: number
  readonly headers: number
  /** From the first byte of a request, or the start of its connection, to the end of its headers. */
  readonly headersTimeoutMs: number
  /** How long an idle connection is kept; 0 keeps none. */
  readonly keepAliveTimeoutMs: number
  /** After so many requests the connection is closed. */
  readonly keepAliveRequests: number
  /** How long a client may take nothing of what is written to it. */
  readonly sendTimeoutMs: number
  /** After so long a connection is let go; 0 for any. */
  readonly connectionDurationMs: number
}

export interface ProxyAppOptions {
  readonly handle: RequestHandler
  /** Absent: every request begins. */
  readonly overload?: OverloadGate
  readonly logger: Logger
  readonly limits: ListenerLimits
  readonly gate: ConnectionGate
  /** Told of what never became a request. */
  readonly onRefused: RefusalObserver
  readonly onHttp2Cut: CutObserver
  readonly onLeave: LeaveObserver
}

/** Headers that are late are looked for so often, so that they are gone soon after their time. */
const TIMEOUT_CHECKS = 20
const LONGEST_CHECK_MS = 500

function serverOptions(limits: ListenerLimits): ServerOptions<typeof UpgradeRequest> {
  return {
    IncomingMessage: UpgradeRequest,
    noDelay: true,
    // Both are answered where every other bad request is.
    requireHostHeader: false,
    maxHeaderSize: limits.headBytes,
    headersTimeout: limits.headersTimeoutMs,
    connectionsCheckingInterval: Math.min(
      LONGEST_CHECK_MS,
      Math.ceil(limits.headersTimeoutMs / TIMEOUT_CHECKS),
    ),
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
  }
}

const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS)

/** Not offered by Fastify's own router, and valid on the proxy all the same; CONNECT never reaches a route. */
const EXTRA_METHODS = METHODS.filter((method) => method !== 'CONNECT')

/**
 * The data plane: one Fastify instance whose catch-all is mounted with @fastify/http-proxy. The gateway takes over in `onRequest`
 * of that route: before bodies are parsed, and before reply-from builds a URL, which costs 2.4 µs a request for nothing
 * (test/bench/mount.ts, docs/reference/benchmarks.md).
 */
export class ProxyApp {
  readonly app: FastifyInstance
  readonly #options: ProxyAppOptions
  readonly #servers: Drainable[] = []
  readonly #secureServers: Drainable[] = []
  readonly #http2: Http2Door
  /** Before anything is done about a request, Fastify's share included: a refusal is to cost as little as it can. */
  readonly #begin: RequestHandler
  /** Those that a client sent ahead are let in, or not, when their turn comes. */
  readonly #handleLater: RequestHandler
  /** Of connections of HTTP/1. */
  readonly #use: ConnectionUse = {
    mayStay: (socket) => !this.#isDraining && !isNextLast(socket, this.#options.limits.keepAliveRequests),
    count: (socket) => void isLastRequest(socket, this.#options.limits.keepAliveRequests),
  }
  #isDraining = false

  constructor(options: ProxyAppOptions) {
    this.#options = options
    const { handle, overload } = options
    const begin: RequestHandler = (request, response) => this.app.routing(request, response)
    this.#begin = overload?.guarded(begin) ?? begin
    this.#handleLater = overload?.guarded(handle) ?? handle
    this.#http2 = new Http2Door(
      (request, response) => this.#enter(request as never, response as never),
      options,
    )
    this.app = Fastify({
      logger: false,
      // The target is read by the gateway itself; to Fastify every request is the same static route.
      rewriteUrl: () => '/',
      genReqId: () => '',
      serverFactory: () => this.#addServer(),
      // Every server has its own, Fastify's first one included.
      clientErrorHandler: () => {},
    })
  }

  /** Mounts the catch-all. Plugins must have been mounted before. */
  async mount(): Promise<void> {
    for (const method of EXTRA_METHODS) {
      if (!this.app.supportedMethods.includes(method)) this.app.addHttpMethod(method, { hasBody: true })
    }
    await this.app.register(async (scope) => {
      scope.addHook('onRoute', (route) => {
        route.onRequest = (request, reply) => {
          reply.hijack()
          // Undoes rewriteUrl: from here on the target is the one that the client sent.
          request.raw.url = request.originalUrl
          this.#take(request.raw, reply.raw)
        }
      })
      await scope.register(httpProxy, {
        upstream: '',
        replyOptions: { getUpstream: () => 'http://gateway.invalid' },
        httpMethods: this.app.supportedMethods,
        proxyPayloads: false,
      })
    })
    await this.app.ready()
  }

  /** Listens on every address, then on those of `secure` with TLS. Rejects, with nothing left open, when one is taken. */
  async listen(addresses: readonly ListenAddress[], secure?: SecureListening): Promise<ListenAddress[]> {
    while (this.#servers.length < addresses.length) this.#addServer()
    for (const _ of secure?.addresses ?? []) this.#addSecureServer(secure!.termination)
    for (const [index, address] of addresses.entries()) {
      if (address.enable_http2) acceptPreface(this.#servers[index]!.server, this.#http2)
    }
    const all = [...this.#servers.slice(0, addresses.length), ...this.#secureServers]
    const results = await Promise.allSettled(
      [...addresses, ...(secure?.addresses ?? [])].map((address, index) =>
        listenOn(all[index]!.server, address),
      ),
    )
    const failure = results.find((result) => result.status === 'rejected')
    if (failure) {
      for (const { server } of all) server.close()
      throw failure.reason
    }
    return results.map((result) => (result as PromiseFulfilledResult<ListenAddress>).value)
  }

  /** From now on every response ends its connection. */
  startDraining(): void {
    this.#isDraining = true
    this.#options.overload?.flush()
    this.#http2.startDraining()
  }

  /**
   * Stops accepting, lets requests in flight end until `cut` is aborted, then cuts them; resolves with how many connections were
   * cut. Plugins are closed by `app.close()` afterwards.
   */
  async drain(cut: AbortSignal): Promise<number> {
    this.startDraining()
    const counts = await Promise.all(
      [...this.#servers, ...this.#secureServers].map((server) => server.drain(cut)),
    )
    return counts.reduce((sum, count) => sum + count, 0)
  }

  #enter: RequestHandler = (request, response) => {
    const { limits, overload } = this.#options
    // The connection has been told that it ends: what follows is not looked at any more.
    if (request.socket.writableEnded) return
    // Streams of HTTP/2 are counted where they are opened.
    const isLast = request.httpVersionMajor === 1 && isLastRequest(request.socket, limits.keepAliveRequests)
    if (isLast || this.#isDraining || limits.keepAliveTimeoutMs === 0) response.shouldKeepAlive = false
    if (request.httpVersionMajor === 1) overload?.watch(request.socket, this.#use)
    if (isAhead(response)) this.app.routing(request, response)
    else this.#begin(request, response)
  }

  #take: RequestHandler = (request, response) => {
    if (isAhead(response)) takeInTurn(this.#handleLater, request, response)
    else this.#options.handle(request, response)
  }

  #addServer(): Server {
    const server = createServer(serverOptions(this.#options.limits))
    this.#serve(server)
    this.#limitAge(server, 'connection')
    this.#servers.push(new Drainable(server))
    return server
  }

  #addSecureServer(termination: TlsTermination): void {
    const server = createSecureServer(serverOptions(this.#options.limits))
    acceptAlpn(server, this.#http2)
    const handshakes = terminateTls(server, termination)
    this.#serve(server)
    this.#limitAge(server, 'secureConnection')
    this.#secureServers.push(new Drainable(server, handshakes))
  }

  #limitAge(server: Server, event: 'connection' | 'secureConnection'): void {
    const { limits, onLeave } = this.#options
    const maxMs = limits.connectionDurationMs
    if (maxMs === 0) return
    const age = { maxMs, random: Math.random, onDue: () => onLeave('duration') }
    server.on(event, (socket: Socket) => limitAge(socket, age))
  }

  #serve(server: Server): void {
    const { limits, gate, logger } = this.#options
    gate.guard(server)
    // One more than allowed is read, so that it is noticed: what is beyond, the parser drops in silence.
    server.maxHeadersCount = limits.headers + 1
    server.timeout = limits.sendTimeoutMs
    server.on('timeout', endStalled)
    server.on('request', this.#route)
    // The gateway says "continue" itself, once it wants the body.
    server.on('checkContinue', this.#route)
    server.on('checkExpectation', this.#route)
    server.on('upgrade', (request, socket, firstBytes) => {
      if (this.#isDraining) endWith(socket, 503)
      else takeUpgrade(this.#route, request, { socket: socket as Socket, firstBytes })
    })
    server.on('connect', (request, socket) => {
      endWith(socket, 405)
      this.#refused({ status: 405, reason: 'connect' }, socket, request)
    })
    server.on('clientError', (error, socket) => {
      const refusal = refuseUnread(error, socket)
      if (refusal) this.#refused(refusal, socket)
    })
    // Of accepting, once it listens (too many open files): the listener goes on, the process must too.
    server.on('error', (error) => logger.error({ err: error }, 'a proxy listener failed'))
  }

  #route: RequestHandler = (request, response) => {
    if (KNOWN_METHODS.has(request.method!)) this.#enter(request, response)
    else {
      // The parser knows those of RTSP too.
      endWith(request.socket, 405)
      this.#refused({ status: 405, reason: 'unknown-method' }, request.socket, request)
    }
  }

  #refused(refusal: Refusal, socket: Duplex, request?: IncomingMessage): void {
    const peerAddr = (socket as Partial<Socket>).remoteAddress ?? ''
    this.#options.onRefused({ ...refusal, peerAddr, request })
  }
}

/**
 * Ends a connection on which nothing has moved for its time: one that idles between requests, and one that does not take its answer.
 * Not one whose answer is still to come, nor one that has yet to say something, for which the time for headers is there.
 */
function endStalled(socket: Socket & { readonly _httpMessage?: unknown }): void {
  const isStalled = socket._httpMessage ? socket.writableLength > 0 : socket.bytesWritten > 0
  if (isStalled) socket.destroy()
}

function listenOn(server: Server, { ip, port }: ListenAddress): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, ip, () => {
      server.off('error', reject)
      const address = server.address() as AddressInfo
      resolve({ ip: address.address, port: address.port })
    })
  })
}
