import { type ClientRequest, type IncomingMessage, request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import { isIP } from 'node:net'
import { HeaderList } from './context/header-list.ts'
import type { Headers } from './context/request-context.ts'
import { AgentPools, tlsOptions } from './http-client-agents.ts'
import { TlsTrust } from './tls-trust.ts'

export interface HttpTls {
  /** `false` accepts whatever certificate the server shows. */
  readonly verify?: boolean
  /** PEM certificates of the authorities to trust instead of the gateway's. */
  readonly ca?: string
  /** Client certificate and its key, PEM. */
  readonly cert?: string
  readonly key?: string
}

/** One call to a service beside the upstream. */
export interface HttpCall {
  /** Absolute, `http:` or `https:`. */
  readonly url: string
  /** Default: `GET`. */
  readonly method?: string
  /** What frames the message (`Content-Length`, `Transfer-Encoding`, `Connection`) is the client's and refused here. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Uint8Array
  /** For the whole call, from connecting to the last byte of the answer. */
  readonly timeoutMs: number
  /** A longer body of an answer rejects the call. Default: 1 MiB. */
  readonly maxBodyBytes?: number
  /** Whether the connection may serve further calls. Default: true. */
  readonly isKeptAlive?: boolean
  /** How long, and how many for each origin, connections wait for further calls. Default: 60 s, 5. */
  readonly keepalive?: { readonly idleMs: number; readonly pool: number }
  readonly tls?: HttpTls
  /** Gives the call up and closes its connection: `context.signal` for one that nobody needs once the request is over. */
  readonly signal?: AbortSignal
  /**
   * Whether the call may be sent again when a kept connection turns out to be closed before any byte of the answer. Default: for
   * GET, HEAD, OPTIONS, PUT and DELETE.
   */
  readonly isRepeatable?: boolean
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

/** Calls services over HTTP. Redirects are answers like any other. */
export interface HttpClient {
  /** Rejects with {@link HttpCallError} when there is no whole answer in time, with a TypeError when the call itself is malformed. */
  call(call: HttpCall): Promise<HttpAnswer>
}

/** No whole answer. The text names method, host and port, never path, query, header or body: they may hold secrets. */
export class HttpCallError extends Error {
  override readonly name = 'HttpCallError'
  /** Node's code (`ECONNREFUSED`, …), or `TIMEOUT`, `TOO_LARGE`, `CLOSED`, or `ABORTED` by the call's signal. */
  readonly code: string

  constructor(where: string, code: string, reason: string) {
    super(`${where}: ${reason}`)
    this.code = code
  }
}

const DEFAULT_MAX_BODY_BYTES = 1 << 20
const DEFAULT_KEEPALIVE = { idleMs: 60_000, pool: 5 }
const REPEATABLE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
const FRAMING: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding', 'connection', 'expect'])
const WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

/** The client of one process; `trust` says whose certificates count. `close` aborts the calls under way and closes all connections; later calls reject. */
export function createHttpClient(trust: TlsTrust = new TlsTrust()): HttpClient & { close(): Promise<void> } {
  const pools = new AgentPools(trust)
  const underWay = new Map<Promise<HttpAnswer>, AbortController>()
  let isClosed = false
  return {
    call(call) {
      const abort = new AbortController()
      if (isClosed) abort.abort()
      const answer = makeCall(call, { pools, trust, signal: abort.signal })
      underWay.set(answer, abort)
      const forget = () => void underWay.delete(answer)
      answer.then(forget, forget)
      return answer
    },
    async close() {
      isClosed = true
      const answers = [...underWay.keys()]
      for (const abort of underWay.values()) abort.abort()
      await Promise.allSettled(answers)
      pools.destroy()
    },
  }
}

interface CallTools {
  readonly pools: AgentPools
  readonly trust: TlsTrust
  readonly signal: AbortSignal
}

async function makeCall(call: HttpCall, tools: CallTools): Promise<HttpAnswer> {
  const { signal } = tools
  const exchange = prepare(call, tools)
  const { where } = exchange
  if (signal.aborted) throw new HttpCallError(where, 'CLOSED', 'the client is closed')
  const limit = new AbortController()
  const timer = setTimeout(
    () => limit.abort(new HttpCallError(where, 'TIMEOUT', `no whole answer within ${call.timeoutMs} ms`)),
    call.timeoutMs,
  )
  const stop = () => limit.abort(new HttpCallError(where, 'CLOSED', 'given up, because the client closes'))
  signal.addEventListener('abort', stop)
  const giveUp = () =>
    limit.abort(new HttpCallError(where, 'ABORTED', 'given up, because nobody needs it any more'))
  if (call.signal?.aborted) giveUp()
  call.signal?.addEventListener('abort', giveUp)
  try {
    return await send(exchange, limit.signal)
  } catch (error) {
    if (!isStale(error)) throw error
    return await send(exchange, limit.signal)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    call.signal?.removeEventListener('abort', giveUp)
  }
}

interface Exchange {
  /** Method and origin, for messages. */
  readonly where: string
  readonly body: Uint8Array | undefined
  readonly maxBodyBytes: number
  readonly isRepeatable: boolean
  start(): ClientRequest
}

function prepare(call: HttpCall, { pools, trust }: CallTools): Exchange {
  const { method = 'GET', body, tls = {}, keepalive = DEFAULT_KEEPALIVE, isKeptAlive = true } = call
  const url = parseUrl(call.url)
  const isTls = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const options = {
    method,
    headers: headersOf(call, method),
    agent: isKeptAlive && pools.agentFor({ isTls, tls, ...keepalive }),
    // Else Node takes the name to verify from a Host header.
    ...(isTls && { ...tlsOptions(tls, trust), servername: isIP(host) ? '' : host }),
  }
  return {
    where: `${method} ${url.protocol}//${url.hostname}:${url.port || (isTls ? 443 : 80)}`,
    // A string would be joined with the head and take its encoding along: header bytes beyond ASCII would go out twice encoded.
    body: typeof body === 'string' ? Buffer.from(body) : body,
    maxBodyBytes: call.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES,
    isRepeatable: call.isRepeatable ?? REPEATABLE.has(method),
    start: () => (isTls ? requestTls(url, options) : requestPlain(url, options)),
  }
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new TypeError('the URL to call is not an absolute one with http: or https:')
  }
  return url
}

function headersOf({ headers = {}, body }: HttpCall, method: string): Record<string, string | string[]> {
  const checked = new HeaderList()
  for (const [name, value] of Object.entries(headers)) {
    if (FRAMING.has(name.toLowerCase())) {
      throw new TypeError(`header "${name}" frames the message and is set by the client; leave it out`)
    }
    checked.set(name, value)
  }
  if (body !== undefined) checked.set('Content-Length', String(Buffer.byteLength(body)))
  else if (WITH_BODY.has(method)) checked.set('Content-Length', '0')
  const lines: Record<string, string | string[]> = Object.create(null)
  for (const name of checked.raw().filter((_, i) => i % 2 === 0)) {
    const values = checked.all(name.toLowerCase())
    lines[name] = values.length === 1 ? values[0]! : values
  }
  return lines
}

/** Marks the failure of a connection that was kept and had been closed meanwhile. */
class StaleConnection extends HttpCallError {}

function isStale(error: unknown): boolean {
  return error instanceof StaleConnection
}

function send(exchange: Exchange, limit: AbortSignal): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    if (limit.aborted) {
      reject(limit.reason)
      return
    }
    const request = exchange.start()
    const giveUp = () => void request.destroy(limit.reason)
    limit.addEventListener('abort', giveUp)
    let hasAnswer = false
    const fail = (error: NodeJS.ErrnoException) => reject(explain(error, { exchange, request, hasAnswer }))
    request.on('response', (response) => {
      hasAnswer = true
      collect(response, exchange).then(resolve, (error) => {
        request.destroy()
        fail(limit.aborted ? limit.reason : error)
      })
    })
    request.on('upgrade', (_response, socket) => void socket.destroy())
    request.on('error', (error) => fail(limit.aborted ? limit.reason : error))
    request.on('close', () => {
      limit.removeEventListener('abort', giveUp)
      if (!hasAnswer) fail(Object.assign(new Error('closed without an answer'), { code: 'ECONNRESET' }))
    })
    request.end(exchange.body)
  })
}

async function collect(response: IncomingMessage, exchange: Exchange): Promise<HttpAnswer> {
  const { where, maxBodyBytes } = exchange
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBodyBytes) {
      throw new HttpCallError(where, 'TOO_LARGE', `the answer is longer than ${maxBodyBytes} bytes`)
    }
    chunks.push(chunk)
  }
  const { statusCode = 0, rawHeaders } = response
  return { status: statusCode, headers: new HeaderList(rawHeaders), body: Buffer.concat(chunks) }
}

interface Attempt {
  readonly exchange: Exchange
  readonly request: ClientRequest
  readonly hasAnswer: boolean
}

function explain(error: NodeJS.ErrnoException, { exchange, request, hasAnswer }: Attempt): HttpCallError {
  if (error instanceof HttpCallError) return error
  const code = error.code ?? error.name
  const isGone = code === 'ECONNRESET' || code === 'EPIPE'
  if (isGone && !hasAnswer && request.reusedSocket && exchange.isRepeatable) {
    return new StaleConnection(exchange.where, code, 'the kept connection was closed')
  }
  return new HttpCallError(exchange.where, code, reasonOf(error, code))
}

/** What OpenSSL says of a certificate or a handshake names no secret, and a person needs it to mend them. */
const OF_TLS = /CERT|SIGNATURE|^ERR_TLS|^ERR_SSL/

function reasonOf({ message }: Error, code: string): string {
  return OF_TLS.test(code) ? `${message} (${code})` : `failed with ${code}`
}
