/** What `Authorization: Basic` holds. Passwords are the bytes that were sent, as latin1 text. */
export interface BasicCredentials {
  /** All before the first colon. */
  readonly username: string
  /** All after the first colon. */
  readonly password: string
  /** As APISIX reads them: without white space, and of the password only what stands before the next colon. */
  readonly apisix: { readonly username: string; readonly password: string }
}

/** Token68 of RFC 7617, with or without its padding. */
const BASIC = /^basic +([A-Za-z0-9+/]+)={0,2}$/i
const SPACE = /[ \t\n\v\f\r]+/g

/** Reads the header; `undefined` when it is of another scheme, not base64, or has no colon. */
export function readBasic(authorization: string): BasicCredentials | undefined {
  const encoded = BASIC.exec(authorization)?.[1]
  // A single character left over after groups of four holds only six bits.
  if (encoded === undefined || encoded.length % 4 === 1) return undefined
  const decoded = Buffer.from(encoded, 'base64').toString('latin1')
  const colon = decoded.indexOf(':')
  if (colon === -1) return undefined
  const username = decoded.slice(0, colon)
  const password = decoded.slice(colon + 1)
  const [head = ''] = password.split(':', 1)
  return {
    username: fromBytes(username),
    password,
    apisix: { username: fromBytes(username.replace(SPACE, '')), password: head.replace(SPACE, '') },
  }
}

function fromBytes(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString()
}
