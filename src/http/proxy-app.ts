import { createServer, METHODS, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import httpProxy from '@fastify/http-proxy'
import Fastify, { type FastifyInstance } from 'fastify'
import type { RequestHandler } from './handle.ts'

export interface ListenAddress {
  readonly ip: string
  readonly port: number
}

/** Client headers must be complete within this time, or the connection is closed. */
const HEADERS_TIMEOUT_MS = 10_000
const KEEP_ALIVE_TIMEOUT_MS = 60_000
const MAX_HEADER_BYTES = 32 * 1024
/** How often idle connections are closed while the process drains. */
const IDLE_SWEEP_MS = 100

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
  readonly #servers: Server[] = []
  #isDraining = false

  constructor(handle: RequestHandler) {
    this.#handle = handle
    this.app = Fastify({
      logger: false,
      // The target is read by the gateway itself; to Fastify every request is the same static route.
      rewriteUrl: () => '/',
      genReqId: () => '',
      serverFactory: () => this.#addServer(),
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

  /** Listens on every address. Rejects, with nothing left open, when one is taken. */
  async listen(addresses: readonly ListenAddress[]): Promise<ListenAddress[]> {
    while (this.#servers.length < addresses.length) this.#addServer()
    try {
      return await Promise.all(addresses.map((address, index) => listenOn(this.#servers[index]!, address)))
    } catch (error) {
      for (const server of this.#servers) server.close()
      throw error
    }
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
    const counts = await Promise.all(this.#servers.map((server) => drainServer(server, cut)))
    return counts.reduce((sum, count) => sum + count, 0)
  }

  #take: RequestHandler = (request, response) => {
    if (this.#isDraining) response.shouldKeepAlive = false
    this.#handle(request, response)
  }

  #addServer(): Server {
    const server = createServer({
      noDelay: true,
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    })
    server.on('request', (request, response) => this.app.routing(request, response))
    // The gateway says "continue" itself, once it wants the body.
    server.on('checkContinue', (request, response) => this.app.routing(request, response))
    this.#servers.push(server)
    return server
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

async function drainServer(server: Server, cut: AbortSignal): Promise<number> {
  if (!server.listening) return 0
  let forced = 0
  const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS)
  const force = () => {
    server.getConnections((_error, count) => {
      forced = count
      server.closeAllConnections()
    })
  }
  try {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeIdleConnections()
    if (cut.aborted) force()
    else cut.addEventListener('abort', force, { once: true })
    await closed
    return forced
  } finally {
    cut.removeEventListener('abort', force)
    clearInterval(sweep)
  }
}
