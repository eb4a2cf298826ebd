import { hostname } from 'node:os'
import { VERSION } from '../../../src/lib/version.ts'
import type { Headers, RequestContext } from '../../../src/plugin/api.ts'
import { type LogEntry, setField } from './format.ts'

const SERVER = { hostname: hostname(), version: VERSION }
/** As many arguments as nginx's Lua module reads; a query may have thousands. */
const MAX_ARGUMENTS = 100
const PORT = /:(\d+)$/

/** What a default entry has beside the request itself. */
export interface EntryParts {
  /** Wall clock, ms. */
  readonly nowMs: number
  readonly requestBody: string | undefined
  readonly responseBody: string | undefined
}

/** The default entry of contract §7, LOG. Owned by the caller. */
export function defaultEntry(context: RequestContext, parts: EntryParts): LogEntry {
  const { route, consumer, stats } = context
  const { totalMs, upstreamMs } = stats
  const entry: LogEntry = {
    request: requestOf(context, parts.requestBody),
    response: responseOf(context, parts.responseBody),
    server: SERVER,
    upstream: context.var('upstream_addr'),
    service_id: route ? (route.serviceId ?? '') : context.host,
    route_id: route?.id,
    client_ip: context.remoteAddr,
    start_time: Math.round(parts.nowMs - totalMs),
    latency: totalMs,
    upstream_latency: upstreamMs,
    apisix_latency: Math.max(0, totalMs - (upstreamMs ?? 0)),
  }
  if (consumer) entry['consumer'] = { username: consumer.name }
  return entry
}

function requestOf(context: RequestContext, body: string | undefined): LogEntry {
  const { scheme, host, requestUri: uri, method } = context
  const port = context.var('server_port')
  const request: LogEntry = {
    url: `${scheme}://${host}:${port}${uri}`,
    uri,
    method,
    headers: withForwarded(headersOf(context.headers), context),
    querystring: queryOf(context.queryString),
    size: context.stats.bytesReceived,
  }
  if (body !== undefined) request['body'] = body
  return request
}

function responseOf(context: RequestContext, body: string | undefined): LogEntry {
  const response: LogEntry = {
    status: context.hasResponse ? context.response.status : 499,
    headers: context.hasResponse ? headersOf(context.response.headers) : {},
    size: context.stats.bytesSent,
  }
  if (body !== undefined) response['body'] = body
  return response
}

/** Lower-case names; a list for a name that is there more than once. */
function headersOf(headers: Headers): LogEntry {
  const raw = headers.raw()
  const fields: LogEntry = {}
  for (let i = 0; i < raw.length; i += 2) addValue(fields, raw[i]!.toLowerCase(), raw[i + 1]!)
  return fields
}

/** What the upstream was told of the way to the gateway, as APISIX shows it (contract §7). */
function withForwarded(fields: LogEntry, context: RequestContext): LogEntry {
  fields['x-forwarded-proto'] ??= context.scheme
  const host = context.headers.get('host') ?? context.host
  fields['x-forwarded-host'] ??= host
  fields['x-forwarded-port'] ??= PORT.exec(host)?.[1] ?? context.var('server_port')
  return fields
}

/** Decoded; an argument without `=` is `true`, one that repeats a list. */
function queryOf(query: string): LogEntry {
  const fields: LogEntry = {}
  if (query === '') return fields
  for (const part of query.split('&', MAX_ARGUMENTS)) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decoded(equals === -1 ? part : part.slice(0, equals))
    addValue(fields, name, equals === -1 ? true : decoded(part.slice(equals + 1)))
  }
  return fields
}

function addValue(fields: LogEntry, name: string, value: string | boolean): void {
  if (!Object.hasOwn(fields, name)) {
    setField(fields, name, value)
    return
  }
  const before = fields[name]
  if (Array.isArray(before)) before.push(value)
  else setField(fields, name, [before, value])
}

function decoded(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  const spaced = text.replaceAll('+', ' ')
  try {
    return decodeURIComponent(spaced)
  } catch {
    // Not UTF-8 or not percent-encoding: the text itself is what a person wants to see.
    return spaced
  }
}
