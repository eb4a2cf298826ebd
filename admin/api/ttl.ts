import type { ConfigStore, PutOptions, PutResult } from '../../src/store/config-store.ts'
import { refuse } from './answer.ts'

/** The longest lease etcd grants, in seconds. */
const MAX_TTL = 9_000_000_000

/** Reads `?ttl=`. Throws the 400 of contract §1.1 when it is no number. */
export function readTtl(query: URLSearchParams): number | undefined {
  const text = query.get('ttl')
  if (text === null) return undefined
  const ttl = text.trim() === '' ? Number.NaN : Number(text)
  if (Number.isNaN(ttl)) throw refuse(400, 'invalid argument ttl: should be a number')
  return ttl
}

/** A put whose key vanishes after `ttl` seconds, when there is one. Leaves no lease behind when the put fails. */
export async function putWithTtl(
  store: ConfigStore,
  { key, value, ...options }: PutOptions & { key: string; value: unknown },
  ttl: number | undefined,
): Promise<PutResult> {
  const text = JSON.stringify(value)
  if (ttl === undefined) return store.put(key, text, options)
  if (!Number.isInteger(ttl)) throw refuse(503, 'ttl must be integer')
  if (ttl > MAX_TTL) throw refuse(400, `ttl ${ttl} is too large; use at most ${MAX_TTL} seconds`)
  const lease = await store.grantLease(Math.max(1, ttl))
  try {
    return await store.put(key, text, { ...options, leaseId: lease.id })
  } catch (error) {
    await lease.revoke()
    throw error
  }
}
