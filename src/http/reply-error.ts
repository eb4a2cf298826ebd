import { type ServerResponse, STATUS_CODES } from 'node:http'
import { Readable } from 'node:stream'
import { Response } from '../plugin/context/context.ts'
import { HeaderList } from '../plugin/context/header-list.ts'
import type { BodyFilter, Reply } from '../plugin/definition.ts'
import { collectBodyFilters, runHeaderFilters } from '../plugin/run.ts'
import { filterChunk, filterEnd } from '../proxy/body-filters.ts'
import { isStream } from '../proxy/body-pipeline.ts'
import { addDebugHeaders } from '../proxy/debug-headers.ts'
import type { Exchange } from '../proxy/exchange.ts'
import { grpcStatus, isGrpc } from '../proxy/grpc-status.ts'
import { writeHead } from '../proxy/write-head.ts'
import { streamReply } from './stream-reply.ts'

const JSON_TYPE = 'application/json'
const TEXT_TYPE = 'text/plain; charset=utf-8'
const HTML_TYPE = 'text/html; charset=utf-8'

/** Writes an answer of the gateway's own: through the response phases, which run on rejections too (contract §6). */
export function writeReply(exchange: Exchange, reply: Reply): void {
  const { context, globalChain, chain, report, response } = exchange
  const isGrpcFailure = reply.status >= 400 && isGrpc(context.headers.get('content-type'))
  const { headers, body } = isGrpcFailure
    ? renderGrpcStatus(reply)
    : renderReply(reply, context.headers.get('accept'))
  const { serverHeader } = exchange.options
  if (serverHeader !== false) headers.set('Server', serverHeader)
  const isShown = exchange.options.showUpstreamStatus || reply.status >= 500
  if (isShown && context.upstreamStatuses !== undefined) {
    headers.set('X-APISIX-Upstream-Status', context.upstreamStatuses)
  }
  const made = new Response(isGrpcFailure ? 200 : reply.status, headers, 'gateway')
  context.beginResponse(made)
  runHeaderFilters(globalChain.headerFilter, context, report)
  runHeaderFilters(chain.headerFilter, context, report)
  const filters = collectBodyFilters([globalChain, chain], context, report)
  addDebugHeaders(exchange, made)
  // Ours alone to say, whatever a plugin copied from elsewhere.
  headers.remove('transfer-encoding')
  if (body instanceof Readable || filters.some(isStream)) {
    streamReply(exchange, { made, body, filters, hasBody: mayHaveBody(made.status) })
    return
  }
  const bytes = filters.length === 0 ? body : filtered(filters as BodyFilter[], body)
  if (isGrpcFailure) headers.remove('content-length')
  else if (mayHaveBody(made.status)) headers.set('Content-Length', String(bytes.length))
  else headers.remove('content-length')
  writeHead(exchange, made)
  if (mayHaveBody(made.status) && context.method !== 'HEAD') context.stats.responseBodyBytes = bytes.length
  response.end(bytes)
}

/** Ends a response that has begun so that no client takes it for a whole one; a gRPC client is told the status. */
export function cutShort({ context, request, response }: Exchange, status: number): void {
  const isGrpcStream = request.httpVersionMajor === 2 && isGrpc(context.response.headers.get('content-type'))
  if (!isGrpcStream || response.writableEnded) {
    response.destroy()
    return
  }
  response.addTrailers(grpcStatus(status))
  response.end()
}

/** The same answer in gRPC's way: HTTP 200 and a status in the head, without a body (trailers-only). */
function renderGrpcStatus({ status, body, headers: own, grpcStatus: code }: Reply): {
  headers: HeaderList
  body: Uint8Array
} {
  if (body instanceof Readable) body.destroy()
  const headers = new HeaderList(['content-type', 'application/grpc'])
  const skipped = new Set(['content-type', 'content-length'])
  for (const [name, value] of Object.entries(own ?? {})) {
    if (!skipped.has(name.toLowerCase())) headers.set(name, value)
  }
  for (const [name, value] of Object.entries(grpcStatus(status, messageOf(body)))) headers.set(name, value)
  if (code !== undefined) headers.set('grpc-status', String(code))
  return { headers, body: new Uint8Array(0) }
}

/** The words of an error body in the shapes that APISIX's plugins use. */
function messageOf(body: Reply['body']): string | undefined {
  if (typeof body === 'string') return body === '' ? undefined : body.trimEnd()
  const { error_msg, message } = (body ?? {}) as { error_msg?: unknown; message?: unknown }
  const words = error_msg ?? message
  return typeof words === 'string' ? words : undefined
}

/** Writes a bare status past every plugin: for a request that cannot be read, and for one that a plugin broke. Returns what was sent. */
export function writeBareStatus(
  response: ServerResponse,
  status: number,
  { serverHeader, mayReuse }: { serverHeader: string | false; mayReuse: boolean },
): Response {
  const { headers, body } = renderReply({ status }, undefined)
  if (serverHeader !== false) headers.set('Server', serverHeader)
  headers.set('Content-Length', String((body as Uint8Array).length))
  if (!mayReuse) headers.set('Connection', 'close')
  response.writeHead(status, headers.raw() as string[])
  response.end(body)
  return new Response(status, headers, 'gateway')
}

function filtered(filters: readonly BodyFilter[], body: Uint8Array): Uint8Array {
  const parts = [filterChunk(filters, body), filterEnd(filters)].filter((part) => part !== undefined)
  return Buffer.concat(parts)
}

function mayHaveBody(status: number): boolean {
  return status >= 200 && status !== 204 && status !== 304
}

/** Headers and body of an answer; a bare status of 400 and above gets the error body of decisions.md 6. */
export function renderReply(
  { status, body, headers: own }: Reply,
  accept: string | undefined,
): { headers: HeaderList; body: Uint8Array | Readable } {
  const content = contentOf(status, body, accept)
  const headers = new HeaderList()
  if (content.type !== undefined) headers.set('Content-Type', content.type)
  for (const [name, value] of Object.entries(own ?? {})) headers.set(name, value)
  return { headers, body: typeof content.body === 'string' ? Buffer.from(content.body) : content.body }
}

function contentOf(
  status: number,
  body: Reply['body'],
  accept: string | undefined,
): { type: string | undefined; body: string | Uint8Array | Readable } {
  if (typeof body === 'string') return { type: TEXT_TYPE, body }
  if (body instanceof Uint8Array || body instanceof Readable) return { type: TEXT_TYPE, body }
  if (body !== undefined) return { type: JSON_TYPE, body: `${JSON.stringify(body)}\n` }
  if (status < 400) return { type: undefined, body: '' }
  const title = `${status} ${STATUS_CODES[status] ?? 'Error'}`
  if (accept?.includes('text/html')) return { type: HTML_TYPE, body: page(title) }
  return { type: JSON_TYPE, body: `${JSON.stringify({ error_msg: title })}\n` }
}

function page(title: string): string {
  return `<!doctype html>\n<html><head><title>${title}</title></head>\n<body><h1>${title}</h1></body></html>\n`
}
