import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { Refusal, refuse } from './answer.ts'
import type { AdminDeps, AdminKey } from './deps.ts'

const COOKIE = /(?:^|;)\s*x_api_key=([^;]*)/

interface Presented {
  readonly key: string
  /** Sent by a browser without the page's doing. */
  readonly isAmbient: boolean
}

/** Makes the check of who asks (contract §1.1). It throws the 401, or a 403 for a page of another site that rides on a cookie. */
export function createAuth({ keys, keyRequired }: Pick<AdminDeps, 'keys' | 'keyRequired'>) {
  // An empty key is never a key: it would let everyone in.
  const known = keys.filter(({ key }) => key !== '').map((entry) => ({ ...entry, digest: digest(entry.key) }))
  return (request: FastifyRequest, query: URLSearchParams): void => {
    if (!keyRequired) {
      refuseCrossSite(request)
      return
    }
    const presented = findKey(request, query)
    if (presented === undefined) throw unauthorized('missing apikey')
    const owner = findOwner(known, presented.key)
    if (owner === undefined) throw unauthorized('wrong apikey')
    if (owner.role === 'viewer' && request.method !== 'GET')
      throw unauthorized('invalid method for role viewer')
    if (presented.isAmbient) refuseCrossSite(request)
  }
}

function findKey({ headers }: FastifyRequest, query: URLSearchParams): Presented | undefined {
  const header = headers['x-api-key']
  const key = query.get('api_key') ?? (Array.isArray(header) ? header[0] : header)
  if (key !== undefined) return { key, isAmbient: false }
  const cookie = COOKIE.exec(headers.cookie ?? '')?.[1]
  return cookie === undefined ? undefined : { key: cookie, isAmbient: true }
}

/** Compares with every key, at equal length and in constant time, so that time tells nothing about any of them. */
function findOwner(known: readonly (AdminKey & { digest: Buffer })[], key: string): AdminKey | undefined {
  const presented = digest(key)
  let owner: AdminKey | undefined
  for (const entry of known) if (timingSafeEqual(entry.digest, presented)) owner ??= entry
  return owner
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

/** Without a key that only the right page knows, any page a person visits could change the configuration. */
function refuseCrossSite({ headers }: FastifyRequest): void {
  if (headers['sec-fetch-site'] === 'cross-site') {
    throw refuse(403, 'requests from pages of another site must send the key in the X-API-KEY header')
  }
}

function unauthorized(description: string): Refusal {
  return new Refusal({ status: 401, json: { error_msg: 'failed to check token', description } })
}
