import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { Refusal, refuse } from './answer.ts'
import type { AdminDeps, AdminKey } from './deps.ts'
import { WrongKeyThrottle } from './throttle.ts'

const COOKIE = /(?:^|;)\s*x_api_key=([^;]*)/

/** Who asks: the entry of `admin_key` without its key. */
export type Caller = Omit<AdminKey, 'key'>

/** Whoever reaches the API while no key is required. */
const ANYONE: Caller = { name: 'anyone', role: 'admin' }

interface Presented {
  readonly key: string
  /** Sent by a browser without the page's doing. */
  readonly isAmbient: boolean
}

/**
 * Makes the look at who asks (contract §1.1). It throws the 401, the 429 after too many wrong keys from one address, or a 403 for a
 * page of another site that rides on a cookie. A right key passes however many wrong ones came from its address: many clients may
 * share one, and none must be able to lock the others out.
 */
export function createAuth({ keys, keyRequired, clock }: Pick<AdminDeps, 'keys' | 'keyRequired' | 'clock'>) {
  // An empty key is never a key: it would let everyone in.
  const known = keys.filter(({ key }) => key !== '').map((entry) => ({ ...entry, digest: digest(entry.key) }))
  const throttle = new WrongKeyThrottle(clock)
  return (request: FastifyRequest, query: URLSearchParams): Caller => {
    if (!keyRequired) {
      refuseCrossSite(request)
      return ANYONE
    }
    const presented = findKey(request, query)
    if (presented === undefined) throw unauthorized('missing apikey')
    const owner = findOwner(known, presented.key)
    if (owner === undefined) throw wrongKey(throttle.countWrongKey(request.socket.remoteAddress ?? ''))
    if (presented.isAmbient) refuseCrossSite(request)
    return owner
  }
}

/** Throws the 401 when the role does not allow the method at all. */
export function refuseOutsideRole({ role }: Caller, method: string): void {
  if (role === 'viewer' && method !== 'GET' && method !== 'HEAD')
    throw unauthorized('invalid method for role viewer')
}

function findKey({ headers }: FastifyRequest, query: URLSearchParams): Presented | undefined {
  const header = headers['x-api-key']
  const key = query.get('api_key') ?? (Array.isArray(header) ? header[0] : header)
  if (key !== undefined) return { key, isAmbient: false }
  const cookie = COOKIE.exec(headers.cookie ?? '')?.[1]
  return cookie === undefined ? undefined : { key: cookie, isAmbient: true }
}

/** Compares with every key, at equal length and in constant time, so that time tells nothing about any of them. */
function findOwner(known: readonly (AdminKey & { digest: Buffer })[], key: string): Caller | undefined {
  const presented = digest(key)
  let owner: Caller | undefined
  for (const entry of known) if (timingSafeEqual(entry.digest, presented)) owner ??= entry
  return owner
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

/** Without a key that only the right page knows, any page a person visits could change the configuration. */
function refuseCrossSite({ headers }: FastifyRequest): void {
  const isForeign = headers['sec-fetch-site'] === undefined && hasForeignOrigin(headers)
  if (headers['sec-fetch-site'] === 'cross-site' || isForeign) {
    throw refuse(403, 'requests from pages of another site must send the key in the X-API-KEY header')
  }
}

/** Over plain HTTP browsers send `Sec-Fetch-Site` to their own machine alone; `Origin` is then all that tells the pages apart. */
function hasForeignOrigin({ origin, host = '' }: FastifyRequest['headers']): boolean {
  const own = hostnameOf(`http://${host}`)
  return origin !== undefined && (own === undefined || hostnameOf(origin) !== own)
}

/** `undefined` for the origin `null` of a page without one. */
function hostnameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined
}

function wrongKey(waitSeconds: number): Refusal {
  if (waitSeconds === 0) return unauthorized('wrong apikey')
  const description = `too many wrong keys from this address; try again in ${waitSeconds} s`
  return new Refusal({
    status: 429,
    json: { error_msg: 'failed to check token', description },
    headers: { 'retry-after': String(waitSeconds) },
  })
}

function unauthorized(description: string): Refusal {
  return new Refusal({ status: 401, json: { error_msg: 'failed to check token', description } })
}
