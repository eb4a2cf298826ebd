/** A body in a form that can be checked, and its way back: what was checked is what the upstream gets. */
export interface Parsed {
  readonly value: unknown
  /** The text of a value, defaults filled in. */
  write(value: unknown): string
}

/** A string, or a number of a JSON text. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g
const WHOLE = /^-?\d+$/
/** Shorter ones are exact. */
const MIN_INEXACT_LENGTH = 16

/** Parses a body by its media type: a form, or else JSON. Throws an Error with the reason. */
export function parseBody(bytes: Uint8Array, contentType: string | undefined): Parsed {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  const mediaType = (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase()
  return mediaType === 'application/x-www-form-urlencoded' ? parseForm(text) : parseJson(text)
}

function parseJson(text: string): Parsed {
  const value: unknown = JSON.parse(text)
  refuseInexactNumbers(text)
  return { value, write: JSON.stringify }
}

/** A number that would be written otherwise than it came is no longer what the client sent. */
function refuseInexactNumbers(text: string): void {
  for (const [token] of text.matchAll(TOKEN)) {
    if (token.startsWith('"')) continue
    const number = Number(token)
    const isExact =
      !WHOLE.test(token) || token.length < MIN_INEXACT_LENGTH || BigInt(token) === BigInt(number)
    if (!Number.isFinite(number) || !isExact) {
      throw new Error('a number in the body is too large to be kept exactly; send it as a string')
    }
  }
}

type FormValue = string | true | (string | true)[]

/** As nginx reads forms: what stands twice is a list, a name without `=` is `true`. */
function parseForm(text: string): Parsed {
  const value: Record<string, FormValue> = Object.create(null)
  for (const part of text.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decode(equals === -1 ? part : part.slice(0, equals))
    const one = equals === -1 ? true : decode(part.slice(equals + 1))
    const known = value[name]
    if (known === undefined) value[name] = one
    else if (Array.isArray(known)) known.push(one)
    else value[name] = [known, one]
  }
  return { value, write: writeForm }
}

function decode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}

function writeForm(value: unknown): string {
  const parts = Object.entries(value as Record<string, unknown>).flatMap(([name, values]) =>
    (Array.isArray(values) ? values : [values]).map((one) =>
      one === true
        ? encodeURIComponent(name)
        : `${encodeURIComponent(name)}=${encodeURIComponent(String(one))}`,
    ),
  )
  return parts.join('&')
}
