const UNDERSCORE = 0x5f
const DASH = 0x2d

/** Initials of the names that {@link screenHeaders} looks at any closer: all others pass at the cost of one look-up. */
const INITIALS = initials('hxfct')
/** Third letters of the names with `X-` that mean something: `X-Forwarded-…`, `X-Consumer-…`, `X-Credential-…`, `X-Real-IP`. */
const THIRD_LETTERS = initials('fcr')

/** Where an application that reads names as CGI does would take the underscore for a dash. */
const FRAMING_ALIASES: ReadonlySet<string> = new Set(['content_length', 'transfer_encoding'])
const CREDENTIAL = 'x-credential-identifier'

const KEPT = 0
const DROPPED = 1
const HOST = 2

/**
 * One pass over the lines of a request's head, in place, before anything reads them. From a peer that is not trusted it takes out
 * what only a trusted one may say: of the client (`Forwarded` and `X-Forwarded-*`; the chain of `X-Forwarded-For` is continued, never
 * believed) and of who the consumer is (`X-Consumer-*`, `X-Credential-Identifier`). From every peer it takes out the names that are
 * one of these when `_` is read as `-`. Returns how many lines are called Host.
 */
export function screenHeaders(raw: string[], isTrusted: boolean): number {
  let hosts = 0
  let kept = 0
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    if (INITIALS[name.charCodeAt(0)] === 1) {
      const verdict = judge(name, isTrusted)
      if (verdict === DROPPED) continue
      if (verdict === HOST) hosts++
    }
    if (kept !== i) {
      raw[kept] = name
      raw[kept + 1] = raw[i + 1]!
    }
    kept += 2
  }
  raw.length = kept
  return hosts
}

function judge(name: string, isTrusted: boolean): number {
  if (name.length === 4) return name.toLowerCase() === 'host' ? HOST : KEPT
  const second = name.charCodeAt(1)
  if (second === DASH || second === UNDERSCORE) {
    if (THIRD_LETTERS[name.charCodeAt(2)] !== 1) return KEPT
    return isDropped(name.toLowerCase(), isTrusted) ? DROPPED : KEPT
  }
  if (name.length === 9) return !isTrusted && name.toLowerCase() === 'forwarded' ? DROPPED : KEPT
  return name.includes('_') && FRAMING_ALIASES.has(name.toLowerCase()) ? DROPPED : KEPT
}

/** Of a name that begins with `x-` or `x_`. */
function isDropped(name: string, isTrusted: boolean): boolean {
  const meant = name.includes('_') ? name.replaceAll('_', '-') : name
  const isForwarded = meant.startsWith('x-forwarded-')
  const isIdentity = meant.startsWith('x-consumer-') || meant === CREDENTIAL
  if (meant !== name) return isForwarded || isIdentity || meant === 'x-real-ip'
  return !isTrusted && (isIdentity || (isForwarded && meant !== 'x-forwarded-for'))
}

function initials(letters: string): Uint8Array {
  const table = new Uint8Array(128)
  for (const letter of letters + letters.toUpperCase()) table[letter.charCodeAt(0)] = 1
  return table
}

/** Options of `Connection` that nominate no header, in the spellings that nearly every client uses. */
const COMMON_OPTIONS: ReadonlySet<string> = new Set(['keep-alive', 'Keep-Alive', 'close'])

/**
 * Takes the headers that `Connection` nominates out of a flat list, in place: they are meant for this hop (RFC 9110 §7.6.1). Before
 * any plugin runs, so that a client can strip neither what the gateway adds nor what a plugin has decided on.
 */
export function dropNominated(raw: string[], connection: string | undefined): void {
  if (connection === undefined || COMMON_OPTIONS.has(connection)) return
  const nominated = new Set(connection.split(',').map((option) => option.trim().toLowerCase()))
  // Never forwarded as it came, and routes are told apart by it (`http_upgrade`).
  nominated.delete('upgrade')
  let kept = 0
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    if (nominated.has(name.toLowerCase())) continue
    raw[kept] = name
    raw[kept + 1] = raw[i + 1]!
    kept += 2
  }
  raw.length = kept
}

/** Makes the Host line say what an absolute target says, which wins (RFC 9112 §3.2.2). */
export function replaceHost(raw: string[], authority: string): void {
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.length === 4 && raw[i]!.toLowerCase() === 'host') raw[i + 1] = authority
  }
}
