import type { RequestContext } from '../../src/plugin/api.ts'
import { isHopByHop } from '../_shared/headers/hop-by-hop.ts'
import type { MirrorConfig } from './schema.ts'

/** What is sent to the mirror. */
export interface Copy {
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** Flat. */
  readonly headers: readonly string[]
  /** Bytes of the body, `undefined` when only its end will tell. */
  readonly length: number | undefined
}

/** What the gateway says of the client is for the upstream alone; what the client says of itself is for nobody. */
const NOT_COPIED: ReadonlySet<string> = new Set(['host', 'x-real-ip', 'x-forwarded-for'])
const WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

/** Compiles where the copy of a request goes, by what its upstream would get. */
export function compileTarget({ path, path_concat_mode: mode }: MirrorConfig): (target: string) => string {
  if (path === undefined) return (target) => target
  if (mode === 'prefix') return (target) => path + target
  return (target) => {
    const mark = target.indexOf('?')
    return mark === -1 ? path : path + target.slice(mark)
  }
}

/** The copy of a request as its upstream gets it. */
export function copyOf(context: RequestContext, targetOf: (target: string) => string): Copy {
  const { method, target } = context.upstream
  const length = context.hasBody ? announcedLength(context) : 0
  return { method, target: targetOf(target), headers: copyHeaders(context, length), length }
}

function announcedLength({ headers }: RequestContext): number | undefined {
  const length = headers.get('content-length')
  return length === undefined ? undefined : Number(length)
}

/** The headers of the copy: those that the upstream gets, with the client's own `Host`. */
function copyHeaders(context: RequestContext, length: number | undefined): string[] {
  const { headers } = context
  const host = headers.get('host') ?? context.host
  const copied = ['Host', host]
  const raw = headers.raw()
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    if (!isHopByHop(name) && !NOT_COPIED.has(name.toLowerCase())) copied.push(name, raw[i + 1]!)
  }
  if (!headers.has('x-forwarded-proto')) copied.push('X-Forwarded-Proto', context.scheme)
  if (!headers.has('x-forwarded-host')) copied.push('X-Forwarded-Host', host)
  if (!headers.has('x-forwarded-port')) copied.push('X-Forwarded-Port', portOf(host, context))
  if (length === undefined) copied.push('Transfer-Encoding', 'chunked')
  else if (length > 0 || WITH_BODY.has(context.upstream.method)) copied.push('Content-Length', String(length))
  copied.push('Connection', 'close')
  return copied
}

/** The port written in the Host header, else the one the request came in on. */
function portOf(host: string, context: RequestContext): string {
  return /:(\d+)$/.exec(host)?.[1] ?? String(context.var('server_port'))
}
