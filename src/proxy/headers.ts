import type { Context } from '../plugin/context/context.ts'

/** Toward the upstream: what is about the client's connection, and what the gateway writes itself (contract §5.1). */
const DROPPED: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-forwarded-for',
  'x-real-ip',
])
/** Asked before a name is folded to lower case: most names of a request have none of these lengths. */
const DROPPED_LENGTHS: readonly boolean[] = Array.from({ length: 32 }, (_, length) =>
  [...DROPPED].some((name) => name.length === length),
)

/** The headers of an attempt, `Host` first. What the client's `Connection` nominates was dropped when the head was read. */
export function upstreamHeaders(context: Context, host: string): string[] {
  const raw = context.headers.raw()
  const headers = ['Host', host]
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    if (DROPPED_LENGTHS[name.length] === true && DROPPED.has(name.toLowerCase())) continue
    headers.push(name, raw[i + 1]!)
  }
  addForwarded(context, headers)
  return headers
}

/** A name that is there already was left by the front door for a trusted peer, or set by a plugin: it stands. */
function addForwarded(context: Context, headers: string[]): void {
  const { headers: sent, remoteAddr } = context
  const before = sent.get('x-forwarded-for')
  // The address that real-IP found, as nginx appends it (contract §5.1, real-ip in §7.2).
  const chain = before === undefined ? remoteAddr : `${sent.all('x-forwarded-for').join(', ')}, ${remoteAddr}`
  headers.push('X-Real-IP', remoteAddr, 'X-Forwarded-For', chain)
  if (!sent.has('x-forwarded-proto')) headers.push('X-Forwarded-Proto', context.scheme)
  if (!sent.has('x-forwarded-host')) headers.push('X-Forwarded-Host', context.rawHost)
  if (!sent.has('x-forwarded-port')) headers.push('X-Forwarded-Port', portOf(context))
}

/** The port written in the Host header, else the one the request came in on. */
function portOf({ rawHost, serverPort }: Context): string {
  const colon = rawHost.lastIndexOf(':')
  const isPort = colon !== -1 && rawHost.indexOf(']', colon) === -1
  return isPort ? rawHost.slice(colon + 1) : String(serverPort)
}
