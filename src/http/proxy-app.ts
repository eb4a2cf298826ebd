import { createServer, METHODS, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import httpProxy from '@fastify/http-proxy'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Logger } from '../observe/logger.ts'
import { Drainable } from './drainable.ts'
import type { RequestHandler } from './handle.ts'
import { takeInTurn } from './in-turn.ts'
import { endWith, refuseUnread } from './refuse-connection.ts'
import { type TlsTermination, terminateTls } from './tls/terminate.ts'
import { takeUpgrade } from './upgrade.ts'
import { UpgradeRequest } from './upgrade-request.ts'

export interface ListenAddress {
  readonly ip: string
  readonly port: number
}

/** The listeners with TLS. */
export interface SecureListening {
  readonly addresses: readonly ListenAddress[]
  readonly termination: TlsTermination
}

/** Client headers must be complete within this time, or the connection is closed. */
const HEADERS_TIMEOUT_MS = 10_000
/** How often that is looked at. */
const TIMEOUT_CHECK_MS = 1000
const KEEP_ALIVE_TIMEOUT_MS = 60_000
const MAX_HEADER_BYTES = 32 * 1024

const SERVER_OPTIONS = {
  IncomingMessage: UpgradeRequest,
  noDelay: true,
  // Both are answered where every other bad request is.
  requireHostHeader: false,
  maxHeaderSize: MAX_HEADER_BYTES,
  headersTimeout: HEADERS_TIMEOUT_MS,
  connectionsCheckingInterval: TIMEOUT_CHECK_MS,
  requestTimeout: 0,
  keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
} as const

/** Not offered by Fastify's own router, and valid on the proxy all the same; CONNECT never reaches a route. */
const EXTRA_METHODS = METHODS.filter((method) => method !== 'CONNECT')

/**
 * The data plane: one Fastify instance whose catch-all is mounted with @fastify/http-proxy. The gateway takes over in `onRequest`
 * of that route: before bodies are parsed, and before reply-from builds a URL, which costs 2.4 µs a request for nothing
 * (test/bench/mount.ts, docs/reference/benchmarks.md).
 */
export class ProxyApp {
  readonly app: FastifyInstance
  readonly #handle: RequestHandler
  readonly #logger: Logger
  readonly #servers: Drainable[] = []
  readonly #secureServers: Drainable[] = []
  #isDraining = false

  constructor(handle: RequestHandler, logger: Logger) {
    this.#handle = handle
    this.#logger = logger
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

  #take: RequestHandler = (request, response) => {
    if (this.#isDraining) response.shouldKeepAlive = false
    takeInTurn(this.#handle, request, response)
  }

  #addServer(): Server {
    const server = createServer(SERVER_OPTIONS)
    this.#serve(server)
    this.#servers.push(new Drainable(server))
    return server
  }

  #addSecureServer(termination: TlsTermination): void {
    const server = createSecureServer(SERVER_OPTIONS)
    terminateTls(server, termination)
    this.#serve(server)
    this.#secureServers.push(new Drainable(server))
  }

  #serve(server: Server): void {
    server.on('request', (request, response) => this.app.routing(request, response))
    // The gateway says "continue" itself, once it wants the body.
    server.on('checkContinue', (request, response) => this.app.routing(request, response))
    server.on('checkExpectation', (request, response) => this.app.routing(request, response))
    server.on('upgrade', (request, socket, firstBytes) => {
      if (this.#isDraining) endWith(socket, 503)
      else takeUpgrade(this.#handle, request, { socket: socket as Socket, firstBytes })
    })
    server.on('connect', (_request, socket) => endWith(socket, 405))
    server.on('clientError', refuseUnread)
    // Of accepting, once it listens (too many open files): the listener goes on, the process must too.
    server.on('error', (error) => this.#logger.error({ err: error }, 'a proxy listener failed'))
  }
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
