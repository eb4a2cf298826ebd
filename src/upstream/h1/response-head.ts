import type { ResponseHead } from '../transport.ts'

/** A head as read from the wire, with what its framing headers said. */
export interface ParsedHead extends ResponseHead {
  readonly isChunked: boolean
  /** Whether `Trailer` is among the headers. */
  readonly hasAnnouncedTrailers: boolean
  /** Whether the connection may serve again after this response, as far as the head says. */
  readonly mayReuse: boolean
  /** The protocol that the node switches to, or would. */
  readonly upgrade: string | undefined
}

/** Thrown for a response that RFC 9112 does not allow or that could be read in two ways. */
export class MalformedResponseError extends Error {
  override readonly name = 'MalformedResponseError'
}

/** Controls other than TAB, CR and LF. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that must not pass
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: (.*))?$/
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const DIGITS = /^\d{1,15}$/
const SPACE = 0x20
const TAB = 0x09

/** What the headers that frame a message add up to. */
class Framing {
  contentLength: number | undefined
  isChunked = false
  hasAnnouncedTrailers = false
  /** `close` wins over `keep-alive` (RFC 9112 §9.3). */
  isClosing = false
  isKeptAlive: boolean
  upgrade: string | undefined
  /** Names that `Connection` nominates: they are meant for this hop (RFC 9110 §7.6.1). */
  nominated: string[] | undefined

  constructor(isHttp11: boolean) {
    this.isKeptAlive = isHttp11
  }
}

/** Takes a header out of the message's own list: it is about this connection. */
type Read = (framing: Framing, value: string) => 'drop' | 'keep'

const FRAMING_HEADERS: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['connection', readConnection],
  ['keep-alive', () => 'drop'],
  ['proxy-connection', () => 'drop'],
  ['trailer', noteTrailer],
  ['upgrade', readUpgrade],
  ['content-length', readContentLength],
  ['transfer-encoding', readTransferEncoding],
])
const FRAMING_LENGTHS = new Set([...FRAMING_HEADERS.keys()].map((name) => name.length))

/** Parses a head without its final blank line. Throws {@link MalformedResponseError}. */
export function parseResponseHead(head: string): ParsedHead {
  if (FORBIDDEN.test(head)) throw new MalformedResponseError('control character in the response head')
  const lines = head.split('\r\n')
  const status = STATUS_LINE.exec(lines[0]!)
  if (!status)
    throw new MalformedResponseError(`not a status line: ${JSON.stringify(lines[0]!.slice(0, 60))}`)
  const isHttp11 = status[1] === '1'
  const framing = new Framing(isHttp11)
  const headers: string[] = []
  for (let i = 1; i < lines.length; i++) readLine(lines[i]!, framing, headers)
  if (framing.isChunked && framing.contentLength !== undefined) {
    throw new MalformedResponseError('both Content-Length and Transfer-Encoding')
  }
  return {
    status: Number(status[2]),
    reason: status[3] ?? '',
    headers: framing.nominated ? without(headers, framing.nominated) : headers,
    bodyLength: framing.contentLength,
    isChunked: framing.isChunked,
    hasAnnouncedTrailers: framing.hasAnnouncedTrailers,
    // HTTP/1.0 knows no chunks: what sends them may be wrong about where the message ends (RFC 9112 §6.1).
    mayReuse: framing.isKeptAlive && !framing.isClosing && (isHttp11 || !framing.isChunked),
    upgrade: framing.upgrade,
  }
}

/** Reads one line of a trailer section onto a flat list. Throws {@link MalformedResponseError}. */
export function parseTrailerLine(line: string, trailers: string[]): void {
  if (FORBIDDEN.test(line)) throw new MalformedResponseError('control character in a trailer')
  const colon = fieldColon(line)
  trailers.push(line.slice(0, colon), withoutBlanks(line, colon + 1))
}

function readLine(line: string, framing: Framing, headers: string[]): void {
  const colon = fieldColon(line)
  const name = line.slice(0, colon)
  const value = withoutBlanks(line, colon + 1)
  const read = FRAMING_LENGTHS.has(name.length) ? FRAMING_HEADERS.get(name.toLowerCase()) : undefined
  if (read?.(framing, value) === 'drop') return
  headers.push(name, value)
}

/** Where the name of a header line ends; throws when it is none. */
function fieldColon(line: string): number {
  const colon = line.indexOf(':')
  const name = line.slice(0, Math.max(colon, 0))
  if (!TOKEN.test(name))
    throw new MalformedResponseError(`bad header line: ${JSON.stringify(line.slice(0, 60))}`)
  if (line.includes('\r') || line.includes('\n')) {
    throw new MalformedResponseError(`bare line break in header "${name}"`)
  }
  return colon
}

/** The value from `start` on. Not `trim()`: that takes a no-break space too, which in UTF-8 is the second byte of `à`. */
function withoutBlanks(line: string, start: number): string {
  let from = start
  let to = line.length
  while (from < to && isBlank(line.charCodeAt(from))) from++
  while (to > from && isBlank(line.charCodeAt(to - 1))) to--
  return line.slice(from, to)
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB
}

function readConnection(framing: Framing, value: string): 'drop' {
  for (const part of value.toLowerCase().split(',')) {
    const option = part.trim()
    if (option === 'close') framing.isClosing = true
    else if (option === 'keep-alive') framing.isKeptAlive = true
    else if (option !== '') framing.nominated = [...(framing.nominated ?? []), option]
  }
  return 'drop'
}

function readUpgrade(framing: Framing, value: string): 'drop' {
  framing.upgrade = value
  return 'drop'
}

function noteTrailer(framing: Framing): 'keep' {
  framing.hasAnnouncedTrailers = true
  return 'keep'
}

/** The list without every header of these names. */
export function without(headers: readonly string[], lowerNames: readonly string[]): string[] {
  return headers.filter((_, i) => !lowerNames.includes(headers[i - (i % 2)]!.toLowerCase()))
}

function readContentLength(framing: Framing, value: string): 'keep' | 'drop' {
  if (!DIGITS.test(value))
    throw new MalformedResponseError(`bad Content-Length ${JSON.stringify(value.slice(0, 40))}`)
  const length = Number(value)
  if (framing.contentLength === undefined) {
    framing.contentLength = length
    return 'keep'
  }
  if (framing.contentLength !== length)
    throw new MalformedResponseError('two different Content-Length values')
  return 'drop'
}

function readTransferEncoding(framing: Framing, value: string): 'drop' {
  if (framing.isChunked || value.toLowerCase() !== 'chunked') {
    throw new MalformedResponseError(
      `Transfer-Encoding ${JSON.stringify(value.slice(0, 40))} is not understood`,
    )
  }
  framing.isChunked = true
  return 'drop'
}
