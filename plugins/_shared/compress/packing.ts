import type { Transform } from 'node:stream'
import type { BodyStream, Headers, RequestContext } from '../../../src/plugin/api.ts'
import { isAccepted } from './accepted.ts'

export interface PackingConfig {
  readonly types: readonly string[] | '*'
  readonly min_length: number
  readonly http_version: number
  readonly vary?: boolean
}

export interface Packing {
  /** As in `Content-Encoding`. */
  readonly coding: string
  /** Statuses whose bodies are packed; all that have a whole body unless given. */
  readonly statuses?: ReadonlySet<number>
  /** Packs one body; has to hand out what it was given so far at the end of every write. */
  makeStream(): Transform
}

type PackBody = (context: RequestContext) => BodyStream | undefined

/** Of responses without a body, or with a part of one. */
const NO_WHOLE_BODY: ReadonlySet<number> = new Set([204, 205, 206, 304])
/** No longer true of the packed body: its length, its parts, its digests. */
const STALE = ['content-length', 'accept-ranges', 'content-md5', 'content-digest', 'digest']

/**
 * Compiles the rules by which bodies are packed (contract §7.3) into a `packBody`, which is called when every other plugin has done
 * with headers and body.
 */
export function compilePacking(config: PackingConfig, packing: Packing): PackBody {
  const isOfType = compileTypes(config.types)
  const isEligible = (context: RequestContext) =>
    isPackable(context, packing) &&
    isLongEnough(context.response.headers, config.min_length) &&
    isOfType(context.response.headers.get('content-type'))
  return (context) => {
    if (!isEligible(context)) return undefined
    const { headers } = context.response
    if (config.vary) addVary(headers)
    if (config.http_version > 1 && context.var('server_protocol') === 'HTTP/1.0') return undefined
    if (context.method === 'HEAD' || !isAccepted(acceptedBy(context), packing.coding)) return undefined
    describePacked(headers, packing.coding)
    return { stream: packing.makeStream() }
  }
}

function isPackable({ response }: RequestContext, { statuses }: Packing): boolean {
  const { status, headers, source } = response
  if (NO_WHOLE_BODY.has(status) || (statuses && !statuses.has(status))) return false
  // The gateway's own errors are a line.
  if (source === 'gateway' && status >= 400) return false
  return !headers.has('content-encoding') && !headers.has('content-range') && mayTransform(headers)
}

/** RFC 9110 §7.7. */
function mayTransform(headers: Headers): boolean {
  const control = headers.get('cache-control')
  return control === undefined || !control.toLowerCase().includes('no-transform')
}

function isLongEnough(headers: Headers, minBytes: number): boolean {
  const length = headers.get('content-length')
  return length === undefined || Number(length) >= minBytes
}

function compileTypes(types: PackingConfig['types']): (contentType: string | undefined) => boolean {
  const listed = types === '*' ? undefined : new Set(types.map((type) => type.trim().toLowerCase()))
  return (contentType) => {
    if (contentType === undefined) return false
    const type = contentType.split(';', 1)[0]!.trim().toLowerCase()
    // gRPC packs its messages itself; whole, they are no messages any more.
    return listed ? listed.has(type) : !type.startsWith('application/grpc')
  }
}

function acceptedBy({ headers }: RequestContext): string | undefined {
  return headers.has('accept-encoding') ? headers.all('accept-encoding').join(',') : undefined
}

function describePacked(headers: Headers, coding: string): void {
  headers.set('Content-Encoding', coding)
  for (const name of STALE) headers.remove(name)
  const tag = headers.get('etag')
  // The bytes are others, the meaning is the same (RFC 9110 §8.8.1).
  if (tag?.startsWith('"')) headers.set('ETag', `W/${tag}`)
}

function addVary(headers: Headers): void {
  const names = headers.all('vary').join(',').toLowerCase().split(',')
  const isSaid = names.some((name) => name.trim() === 'accept-encoding' || name.trim() === '*')
  if (!isSaid) headers.append('Vary', 'Accept-Encoding')
}
