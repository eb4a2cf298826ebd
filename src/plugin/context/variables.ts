import { hostname } from 'node:os'
import { showPlace } from '../../lib/socket-path.ts'
import type { Context } from './context.ts'

type Read = (context: Context) => unknown

const HOSTNAME = hostname()

/** Variables by name (contract §4.5). A name that is absent here may still start with one of {@link PREFIXED}. */
const NAMED: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['uri', (c) => c.path],
  ['request_uri', (c) => c.requestUri],
  ['real_request_uri', (c) => c.rawTarget],
  ['args', (c) => c.queryString],
  ['query_string', (c) => c.queryString],
  ['is_args', (c) => (c.queryString === '' ? '' : '?')],
  ['host', (c) => c.host],
  ['hostname', () => HOSTNAME],
  ['scheme', (c) => c.scheme],
  ['request_method', (c) => c.method],
  ['method', (c) => c.method],
  ['remote_addr', (c) => c.remoteAddr],
  ['remote_port', (c) => String(c.remotePort)],
  ['realip_remote_addr', (c) => c.peerAddr],
  ['server_addr', (c) => c.serverAddr],
  ['server_port', (c) => String(c.serverPort)],
  ['server_name', (c) => c.host],
  ['server_protocol', (c) => `HTTP/${c.httpVersion}`],
  ['https', (c) => (c.scheme === 'https' ? 'on' : '')],
  ['content_type', (c) => c.headers.get('content-type')],
  ['content_length', (c) => c.headers.get('content-length')],
  ['request_length', (c) => String(c.stats.bytesReceived)],
  ['request_time', (c) => seconds(c.stats.totalMs)],
  ['request_id', (c) => c.id],
  ['apisix_request_id', (c) => c.id],
  ['status', (c) => (c.hasResponse ? String(c.response.status) : undefined)],
  ['bytes_sent', (c) => String(c.stats.bytesSent)],
  ['body_bytes_sent', (c) => String(c.stats.bytesSent)],
  ['time_iso8601', () => new Date().toISOString().replace(/\.\d+Z$/, '+00:00')],
  ['msec', () => (Date.now() / 1000).toFixed(3)],
  ['route_id', (c) => c.route?.id],
  ['route_name', (c) => c.route?.name],
  ['service_id', (c) => c.route?.serviceId],
  ['service_name', (c) => c.route?.serviceName],
  ['consumer_name', (c) => c.consumer?.name],
  ['consumer_group_id', (c) => c.consumer?.groupId],
  ['balancer_ip', (c) => c.node?.host],
  ['balancer_port', (c) => (c.node ? String(c.node.port) : undefined)],
  ['upstream_addr', (c) => (c.node ? showPlace(c.node) : undefined)],
  ['upstream_host', (c) => c.sentHost],
  ['upstream_uri', (c) => c.upstream.target],
  ['upstream_scheme', (c) => c.upstreamScheme],
  ['upstream_status', (c) => c.upstreamStatuses],
  ['upstream_response_time', (c) => seconds(c.stats.upstreamMs)],
  ['apisix_upstream_response_time', (c) => c.stats.upstreamMs],
  ['graphql_name', (c) => c.graphql?.name],
  ['graphql_operation', (c) => c.graphql?.operation],
  ['graphql_root_fields', (c) => c.graphql?.rootFields],
  ['remote_user', (c) => basicUser(c.headers.get('authorization'))],
])

const PREFIXED: readonly (readonly [prefix: string, read: (context: Context, rest: string) => unknown])[] = [
  ['http_', (c, rest) => c.headers.get(rest.replaceAll('_', '-').toLowerCase())],
  ['arg_', (c, rest) => c.arg(rest)],
  ['cookie_', (c, rest) => c.cookie(rest)],
  ['post_arg_', (c, rest) => c.bodyVariables?.postArg(rest)],
  ['post_arg.', (c, rest) => c.bodyVariables?.postArgAt(rest)],
  ['uri_param_', (c, rest) => ownValue(c.pathParams, rest)],
  ['sent_http_', (c, rest) => responseHeader(c, rest)],
  ['ssl_', (c, rest) => c.tls?.variable(rest)],
  ['upstream_http_', (c, rest) => responseHeader(c, rest)],
]

/** Whether a name is one of those that every request has. */
export function isBuiltIn(name: string): boolean {
  return NAMED.has(name) || PREFIXED.some(([prefix]) => name.startsWith(prefix))
}

/** Reads one variable; `undefined` when there is none of that name or it has no value. */
export function readVariable(context: Context, name: string): unknown {
  const named = NAMED.get(name)
  if (named) return named(context)
  for (const [prefix, read] of PREFIXED) {
    if (name.startsWith(prefix)) return read(context, name.slice(prefix.length))
  }
  return undefined
}

function responseHeader(context: Context, name: string): string | undefined {
  return context.hasResponse
    ? context.response.headers.get(name.replaceAll('_', '-').toLowerCase())
    : undefined
}

function ownValue(record: Record<string, string> | undefined, name: string): string | undefined {
  return record && Object.hasOwn(record, name) ? record[name] : undefined
}

function seconds(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : (ms / 1000).toFixed(3)
}

function basicUser(authorization: string | undefined): string | undefined {
  if (!authorization || !/^basic /i.test(authorization)) return undefined
  const text = Buffer.from(authorization.slice(6), 'base64').toString()
  const colon = text.indexOf(':')
  return colon === -1 ? text : text.slice(0, colon)
}
