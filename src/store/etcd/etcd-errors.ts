import { LeaseLostError, StoreUnavailableError } from '../config-store.ts'

/** What this module throws on, in words: which etcd, what was tried, why it failed. Never holds a password. */
export function unavailable(endpoint: string, act: string, cause: unknown): StoreUnavailableError {
  return new StoreUnavailableError(`etcd ${endpoint} could not ${act}: ${reasonOf(cause)}`, { cause })
}

/** etcd's or gRPC's reason in one line. */
export function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause)
  const known = KNOWN.find(([pattern]) => pattern.test(text))
  return known ? known[1] : text.replaceAll(/\s+/g, ' ').trim() || 'no reason was given'
}

/** Texts of gRPC that say too little. */
const KNOWN: readonly (readonly [RegExp, string])[] = [
  [/DEADLINE_EXCEEDED|Deadline exceeded/i, 'no answer in time'],
  [/ECONNREFUSED/, 'the connection was refused; is it running?'],
  [/authentication failed, invalid user ID or password/, 'user or password is wrong'],
  [/user name is empty/, 'it asks for a user and a password, and none are configured'],
]

export function isLeaseNotFound(cause: unknown): boolean {
  return cause instanceof Error && /lease not found|Lease .* is expired or revoked/i.test(cause.message)
}

export function leaseLost(): LeaseLostError {
  return new LeaseLostError('the lease has ended; grant a new one and write its keys again')
}

/** The revision of a page is no longer held: the list has to begin again. */
export function isCompacted(cause: unknown): boolean {
  return cause instanceof Error && /required revision has been compacted/.test(cause.message)
}

/** The answer was larger than this client takes: ask for less at a time. */
export function isTooLarge(cause: unknown): boolean {
  return cause instanceof Error && /Received message larger than max/i.test(cause.message)
}
