import { createHash, randomInt, timingSafeEqual } from 'node:crypto'

/** What a token says; the form is APISIX's, so that nodes of both kinds accept each other's tokens (contract §7.2). */
interface TokenContent {
  readonly random: number
  /** When it was made, in seconds since the epoch. */
  readonly expires: number
  readonly sign: string
}

/** Makes a token that {@link isValidToken} accepts with the same key. `nowSeconds` is the wall clock. */
export function makeToken(key: string, nowSeconds: number): string {
  // Fourteen digits without a leading zero: APISIX's Lua writes such a number in the same way, and both sign what is written.
  const random = randomInt(1e13, 1e14) / 1e14
  const content: TokenContent = { random, expires: nowSeconds, sign: signature(random, nowSeconds, key) }
  return Buffer.from(JSON.stringify(content)).toString('base64')
}

/** Whether the token was signed with `key` at most `lifetimeSeconds` ago; a lifetime of 0 or less has no end. */
export function isValidToken(
  token: string,
  { key, lifetimeSeconds, nowSeconds }: { key: string; lifetimeSeconds: number; nowSeconds: number },
): boolean {
  const content = readToken(token)
  if (!content) return false
  const { random, expires, sign } = content
  if (lifetimeSeconds > 0 && nowSeconds - expires > lifetimeSeconds) return false
  const expected = Buffer.from(signature(random, expires, key))
  const given = Buffer.from(sign)
  return given.length === expected.length && timingSafeEqual(given, expected)
}

function readToken(token: string): TokenContent | undefined {
  const content = parseJson(Buffer.from(token, 'base64').toString())
  if (typeof content !== 'object' || content === null) return undefined
  const { random, expires, sign } = content as Record<string, unknown>
  // Numbers only: a text could hold what separates the signed fields.
  if (typeof random !== 'number' || typeof expires !== 'number' || typeof sign !== 'string') return undefined
  return { random, expires, sign }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Whatever a client made up is no token; it is told so.
    return undefined
  }
}

function signature(random: number, expires: number, key: string): string {
  return createHash('sha256').update(`{expires:${expires},random:${random},key:${key}}`).digest('hex')
}
