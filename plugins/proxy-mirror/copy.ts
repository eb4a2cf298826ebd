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
  readonly body: Uint8Array
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

/** The headers of the copy: those that the upstream gets, with the client's own `Host`. */
export function copyHeaders(context: RequestContext, bodyBytes: number): string[] {
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
  if (bodyBytes > 0 || WITH_BODY.has(context.upstream.method))
    copied.push('Content-Length', String(bodyBytes))
  copied.push('Connection', 'close')
  return copied
}

/** The port written in the Host header, else the one the request came in on. */
function portOf(host: string, context: RequestContext): string {
  return /:(\d+)$/.exec(host)?.[1] ?? String(context.var('server_port'))
}
