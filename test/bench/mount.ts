import { execFile } from 'node:child_process'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Duplex } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import httpProxy, { type FastifyHttpProxyOptions } from '@fastify/http-proxy'
import underPressure from '@fastify/under-pressure'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { ConnectionGate } from '../../src/http/connection-gate.ts'
import { ProxyApp } from '../../src/http/proxy-app.ts'
import { createLogger } from '../../src/observe/logger.ts'
import { median, quantile, renderTable, shuffled } from './statistics.ts'

const ROUNDS = 5
const RUNS = 11
const REQUESTS_PER_RUN = 10_000
const WARM_UP_REQUESTS = 40_000

const REQUEST = Buffer.from('GET /api/orders/4711?fields=id,total HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n')
const BODY = 'x'.repeat(100)
const HEADERS = ['Content-Type', 'text/plain', 'Content-Length', String(BODY.length), 'Date', 'today']

/** The bare catch-all, against which the mounts are compared. */
const REFERENCE = 'Fastify, onRequest'

const VARIANTS: Readonly<Record<string, () => Promise<Server>>> = {
  'node:http alone': async () => createServer((_request, response) => answer(response)),
  'Fastify, handler': () => bare({ handler: takeOver }),
  [REFERENCE]: () => bare({ onRequest: takeOver }),
  'Fastify, onRequest, hook of under-pressure': withPressureHook,
  'http-proxy, onRequest': mountedOnRequest,
  'http-proxy, preHandler': () => mounted({ upstream: 'http://node.invalid', preHandler: takeOver }),
  'http-proxy, handler': () => mounted({ upstream: 'http://node.invalid', handler: takeOver }),
  'http-proxy, dispatcher': mountedDispatcher,
  'Gatewright’s mount': gatewrightMount,
}

/**
 * CPU time of one request through Node's server and the ways to mount the catch-all. The connection is a stream of this process:
 * no kernel and no second program blur differences of a microsecond. Each variant runs in processes of its own, in turn.
 */
export async function run(): Promise<void> {
  const micros = new Map(Object.keys(VARIANTS).map((name) => [name, [] as number[]]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of shuffled([...micros.keys()])) micros.get(name)!.push(await measureApart(name))
  }
  const least = (name: string) => quantile(micros.get(name)!, 0)
  const rows = [...micros].map(([name, values]) => {
    // Of the quietest processes: what else the machine does only ever adds.
    const difference = least(name) - least(REFERENCE)
    const sign = difference < 0 ? '−' : '+'
    return [
      name,
      least(name).toFixed(2),
      median(values).toFixed(2),
      `${sign}${Math.abs(difference).toFixed(2)}`,
    ]
  })
  console.log(
    `mount of the catch-all: CPU µs of one request, ${ROUNDS} processes each, compared with "${REFERENCE}"`,
  )
  console.log(renderTable([['', 'least', 'median', 'difference'], ...rows]))
}

/** One variant in a fresh process, with the flags of this one, so that no variant runs on code another has shaped. */
async function measureApart(name: string): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...process.execArgv,
    fileURLToPath(import.meta.url),
    name,
  ])
  return Number(stdout)
}

async function measureHere(name: string): Promise<number> {
  const start = VARIANTS[name]
  if (!start) throw new Error(`"${name}" is no way to mount; there are ${Object.keys(VARIANTS).join('; ')}`)
  const connection = new Loop(await start())
  await connection.send(WARM_UP_REQUESTS)
  const runs: number[] = []
  for (let run = 0; run < RUNS; run++) {
    const before = process.cpuUsage()
    await connection.send(REQUESTS_PER_RUN)
    const { user, system } = process.cpuUsage(before)
    runs.push((user + system) / REQUESTS_PER_RUN)
  }
  // Not the very least: a run without a garbage collection would be no fair sample.
  return quantile(runs, 0.25)
}

/** A client connection without a socket: every answer is followed by the next request. */
class Loop extends Duplex {
  #left = 0
  #done: (() => void) | undefined

  constructor(server: Server) {
    super()
    // What Node's server expects of a socket beyond a stream.
    Object.assign(this, { setTimeout: () => this, setNoDelay: () => this, remoteAddress: '127.0.0.1' })
    server.emit('connection', this)
  }

  /** Resolves when so many requests have been answered. */
  send(count: number): Promise<void> {
    this.#left = count
    this.push(REQUEST)
    return new Promise((resolve) => {
      this.#done = resolve
    })
  }

  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: string, callback: () => void): void {
    callback()
    if (--this.#left > 0) setImmediate(() => this.push(REQUEST))
    else this.#done?.()
  }
}

function answer(response: ServerResponse): void {
  response.writeHead(200, HEADERS)
  response.end(BODY)
}

/** Takes a request out of Fastify's hands, as the gateway does. */
function takeOver(_request: FastifyRequest, reply: FastifyReply): void {
  reply.hijack()
  answer(reply.raw)
}

function catchAllApp(): FastifyInstance {
  return Fastify({ rewriteUrl: () => '/', serverFactory: (handler) => createServer(handler) })
}

async function bare(place: { handler?: typeof takeOver; onRequest?: typeof takeOver }): Promise<Server> {
  const app = catchAllApp()
  app.route({ method: app.supportedMethods, url: '/', handler: () => {}, ...place })
  await app.ready()
  return app.server
}

/** What the hook of the package costs each request; the gateway only lets it measure. */
async function withPressureHook(): Promise<Server> {
  const app = catchAllApp()
  await app.register(underPressure, { maxEventLoopDelay: 1000 })
  app.route({ method: app.supportedMethods, url: '/', handler: () => {}, onRequest: takeOver })
  await app.ready()
  return app.server
}

async function mounted(options: FastifyHttpProxyOptions): Promise<Server> {
  const app = catchAllApp()
  await app.register(httpProxy, { disableRequestLogging: true, ...options })
  await app.ready()
  return app.server
}

/** The hook is put on the package's own routes while it registers them. */
async function mountedOnRequest(): Promise<Server> {
  const app = catchAllApp()
  await app.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.onRequest = takeOver
    })
    await scope.register(httpProxy, { upstream: 'http://node.invalid' })
  })
  await app.ready()
  return app.server
}

/** The package does its own work up to the point where it would send: an object with `request` stands in for undici. */
function mountedDispatcher(): Promise<Server> {
  const dispatcher = {
    request: (_options: object, done: (error: null, response: object) => void) =>
      done(null, { statusCode: 200, headers: {}, body: undefined }),
  }
  return mounted({
    upstream: '',
    undici: dispatcher as unknown as NonNullable<FastifyHttpProxyOptions['undici']>,
    retryMethods: [],
    internalRewriteLocationHeader: false,
    handler: (_request, reply, _destination, options) => reply.from('/', options),
    replyOptions: {
      getUpstream: () => 'http://node.invalid',
      onResponse: (request, reply) => takeOver(request as FastifyRequest, reply as FastifyReply),
    },
  })
}

async function gatewrightMount(): Promise<Server> {
  const take = (_request: IncomingMessage, response: ServerResponse) => answer(response)
  const unlimited = Number.POSITIVE_INFINITY
  const proxy = new ProxyApp({
    handle: take,
    logger: createLogger('silent'),
    limits: {
      headBytes: 32 * 1024,
      headers: 100,
      headersTimeoutMs: 10_000,
      keepAliveTimeoutMs: 60_000,
      keepAliveRequests: 2 ** 31 - 1,
      sendTimeoutMs: 10_000,
      connectionDurationMs: 0,
    },
    gate: new ConnectionGate(
      { connections: unlimited, perClient: unlimited, isProxy: () => false },
      () => {},
    ),
    onRefused: () => {},
    onHttp2Cut: () => {},
    onLeave: () => {},
  })
  await proxy.mount()
  return proxy.app.server as Server
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const variant = process.argv[2]
  if (variant === undefined) await run()
  else {
    console.log(await measureHere(variant))
    process.exit(0)
  }
}
