import { Readable } from 'node:stream'
import { canonicalizeTarget } from '../lib/canonical-path.ts'
import { buildChain } from '../plugin/chain.ts'
import { BodyTooLargeError, type ClientBody } from '../plugin/context/client-body.ts'
import { type ConsumerLookup, Context, Response } from '../plugin/context/context.ts'
import { HeaderList } from '../plugin/context/header-list.ts'
import type { ConsumerView, RouteView } from '../plugin/context/request-context.ts'
import type { BodyFilter, BodyStream, Reply } from '../plugin/definition.ts'
import type { Instance } from '../plugin/instance.ts'
import {
  collectBodyFilters,
  type FailureReport,
  runHeaderFilters,
  runLog,
  runRequestPhase,
  tapBody,
} from '../plugin/run.ts'
import { BodyPipeline } from '../proxy/body-pipeline.ts'

type HeaderInit = Readonly<Record<string, string | readonly string[]>>

/** What an upstream answers in a test. */
export interface UpstreamAnswer {
  readonly status?: number
  readonly headers?: HeaderInit
  /** Several chunks arrive one after the other. */
  readonly body?: string | Uint8Array | readonly (string | Uint8Array)[]
}

/** What the upstream would have got. */
export interface SentRequest {
  readonly method: string
  readonly target: string
  readonly host: string | undefined
  readonly headers: HeaderList
  /** Of the client, or what a plugin has put into its place. */
  readonly body: string
}

export interface RequestInit {
  readonly method?: string
  /** As on the request line. */
  readonly target?: string
  readonly headers?: HeaderInit
  /** Announced by `Content-Length`. */
  readonly body?: string | Uint8Array
  readonly remoteAddr?: string
  readonly scheme?: 'http' | 'https'
  /** `undefined` stands for a request that no route matched. */
  readonly route?: Partial<RouteView> | undefined
  /** Whom an authentication plugin has found before. */
  readonly consumer?: Partial<ConsumerView>
  readonly node?: { readonly host: string; readonly port: number }
  /** The answer; `refused` stands for a node that cannot be reached. Default: 200 `ok`. */
  readonly upstream?: UpstreamAnswer | ((sent: SentRequest) => UpstreamAnswer) | 'refused'
}

export interface Answer {
  readonly status: number
  readonly headers: HeaderList
  readonly body: string
  readonly bytes: Buffer
  /** Absent when a plugin or the gateway answered. */
  readonly sent: SentRequest | undefined
  readonly context: Context
}

export interface Walk {
  readonly instances: readonly Instance[]
  readonly consumers: ConsumerLookup
  readonly monotonic: () => number
  readonly report: FailureReport
  readonly defaultRoute: RouteView
}

const NOBODY: ConsumerView = {
  name: 'nobody',
  groupId: undefined,
  labels: undefined,
  credentialId: undefined,
}

/** Sends one request through all phases, in the order of contract §6. */
export async function runRequest(init: RequestInit, walk: Walk): Promise<Answer> {
  const context = makeContext(init, walk)
  const chain = buildChain(walk.instances)
  const phase = { context, report: walk.report }
  if (chain.needsBody && context.hasUnreadBody) await context.readForVariables()
  let sent: SentRequest | undefined
  let reply =
    (await runRequestPhase(chain.rewrite, 'rewrite', phase)) ??
    (await runRequestPhase(chain.access, 'access', phase))
  let answer: UpstreamAnswer = {}
  if (!reply) {
    context.node = init.node ?? { host: '10.0.0.1', port: 80 }
    context.stats.upstreamStartedAt = walk.monotonic()
    reply = await runRequestPhase(chain.beforeProxy, 'beforeProxy', phase)
  }
  if (!reply) tapBody([chain], context, walk.report)
  if (!reply && init.upstream === 'refused') reply = { status: 502 }
  if (!reply) {
    sent = sentBy(context, Buffer.from(init.body ?? ''))
    answer = answerOf(init, sent)
    context.stats.upstreamEndedAt = walk.monotonic()
  }
  context.beginResponse(reply ? gatewayResponse(reply) : upstreamResponse(answer))
  runHeaderFilters(chain.headerFilter, context, walk.report)
  const filters = collectBodyFilters([chain], context, walk.report)
  const bytes = await filtered(reply ? [await replyBody(reply)] : chunksOf(answer), filters)
  context.stats.responseBodyBytes = bytes.length
  context.end()
  context.stats.endedAt = walk.monotonic()
  runLog(chain.log, context, walk.report)
  const { status, headers } = context.response
  return { status, headers, body: bytes.toString(), bytes, sent, context }
}

/** The context of a request as the front door would make it. */
export function makeContext(
  init: RequestInit,
  walk: Pick<Walk, 'consumers' | 'monotonic' | 'defaultRoute'>,
): Context {
  const rawTarget = init.target ?? '/'
  const target = canonicalizeTarget(rawTarget)
  if (!target.ok)
    throw new Error(`the test's target ${JSON.stringify(rawTarget)} is refused: ${target.reason}`)
  const body = init.body === undefined ? undefined : Buffer.from(init.body as string)
  const rawHeaders = flat({
    Host: 'gateway.test',
    ...(body && { 'Content-Length': String(body.length) }),
    ...init.headers,
  })
  const context = new Context({
    method: init.method ?? 'GET',
    rawTarget,
    path: target.path,
    query: target.query,
    forwardTarget: target.forwardTarget,
    host: 'gateway.test',
    rawHost: 'gateway.test',
    scheme: init.scheme ?? 'http',
    httpVersion: '1.1',
    rawHeaders,
    remoteAddr: init.remoteAddr ?? '192.0.2.1',
    remotePort: 40_000,
    peerAddr: init.remoteAddr ?? '192.0.2.1',
    serverAddr: '192.0.2.254',
    serverPort: 9080,
    consumers: walk.consumers,
    monotonic: walk.monotonic,
  })
  context.clientBody = body && bodyInMemory(body)
  const hasRoute = !('route' in init) || init.route !== undefined
  context.route = hasRoute ? { ...walk.defaultRoute, ...init.route } : undefined
  if (init.consumer) context.attachConsumer({ view: { ...NOBODY, ...init.consumer }, config: {} })
  return context
}

function bodyInMemory(bytes: Buffer): ClientBody {
  let most = Number.POSITIVE_INFINITY
  let isRead = false
  return {
    length: bytes.length,
    collect: async (maxBytes) => {
      const limit = Math.min(most, maxBytes)
      if (bytes.length > limit) throw new BodyTooLargeError(limit)
      isRead = true
      return bytes
    },
    whole: () => (isRead ? bytes : undefined),
    tap: (tap) => {
      tap.write(bytes)
      tap.end(true)
    },
    limit: (limit) => {
      most = limit
    },
  }
}

function sentBy({ upstream, headers, newBody }: Context, body: Buffer): SentRequest {
  return {
    method: upstream.method,
    target: upstream.target,
    host: upstream.host,
    headers: new HeaderList([...headers.raw()]),
    body: Buffer.from(newBody ?? body).toString(),
  }
}

function answerOf({ upstream = {} }: RequestInit, sent: SentRequest): UpstreamAnswer {
  if (typeof upstream === 'function') return upstream(sent)
  return upstream === 'refused' ? {} : upstream
}

function upstreamResponse({ status = 200, headers = {} }: UpstreamAnswer): Response {
  return new Response(status, new HeaderList(flat(headers)), 'upstream')
}

function gatewayResponse({ status, headers = {} }: Reply): Response {
  return new Response(status, new HeaderList(flat(headers)), 'gateway')
}

async function replyBody({ status, body }: Reply): Promise<Buffer> {
  if (body instanceof Readable) return Buffer.concat(await body.toArray())
  if (body === undefined) return Buffer.from(`error page ${status}`)
  if (typeof body === 'string' || body instanceof Uint8Array) return Buffer.from(body)
  return Buffer.from(`${JSON.stringify(body)}\n`)
}

function chunksOf({ body = 'ok' }: UpstreamAnswer): Buffer[] {
  const chunks = typeof body === 'string' || body instanceof Uint8Array ? [body] : body
  return chunks.map((chunk) => Buffer.from(chunk as string))
}

/** Through the pipeline that responses of the data path take. */
async function filtered(
  chunks: readonly Uint8Array[],
  filters: readonly (BodyFilter | BodyStream)[],
): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  await new Promise<void>((end, fail) => {
    const sink = {
      write(bytes: Uint8Array) {
        pieces.push(bytes)
        return true
      },
      end,
      fail,
    }
    const pipeline = new BodyPipeline(filters, { resume() {} }, sink)
    for (const chunk of chunks) pipeline.write(chunk)
    pipeline.end()
  })
  return Buffer.concat(pieces)
}

function flat(headers: HeaderInit): string[] {
  return Object.entries(headers).flatMap(([name, values]) =>
    (typeof values === 'string' ? [values] : values).flatMap((value) => [name, value]),
  )
}
