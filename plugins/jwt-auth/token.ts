type Json = Readonly<Record<string, unknown>>

/** A token taken apart; nothing of it is believed before its signature was verified. */
export interface Token {
  readonly header: Json
  readonly payload: Json
  /** What the signature is for: header and payload as sent. */
  readonly signed: string
  /** Empty in an unsigned token. */
  readonly signature: Buffer
}

/** JWS compact serialization (RFC 7515 §3.1). */
const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)$/

/** Takes a token apart; `undefined` for what is none, to the last bit of its base64url. */
export function parseToken(text: string): Token | undefined {
  const parts = COMPACT.exec(text)
  if (!parts) return undefined
  const header = jsonOf(parts[1]!)
  const payload = jsonOf(parts[2]!)
  const signature = decode(parts[3]!)
  if (!header || !payload || !signature) return undefined
  return { header, payload, signature, signed: text.slice(0, text.lastIndexOf('.')) }
}

/** Node's decoder takes more than the one spelling of each text; two spellings of one token must not both be good. */
function decode(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

function jsonOf(text: string): Json | undefined {
  const bytes = decode(text)
  if (!bytes) return undefined
  try {
    const value: unknown = JSON.parse(bytes.toString())
    return isObject(value) ? value : undefined
  } catch {
    // Whatever is wrong with it, it is no token: the caller says so.
    return undefined
  }
}

function isObject(value: unknown): value is Json {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
