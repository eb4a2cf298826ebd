/** A final response as two readers of one byte stream must agree on it. */
export interface ReadResponse {
  readonly status: number
  readonly body: string
  /** Where it ends in the stream. */
  readonly end: number
  /** HTTP/1.0 knows no chunks: the connection must not be used again (RFC 9112 §6.1). */
  readonly isLast: boolean
  /** The end of the connection is the end of the body. */
  readonly isUntilClose: boolean
}

export interface ResponseReading {
  /** Of the request; a HEAD has no body. */
  readonly method: string
  /** The other side has closed after these bytes. */
  readonly isClosed: boolean
}

const STATUS_LINE = /^HTTP\/1\.[01] ([1-5]\d\d)(?: [\t \x21-\x7e\x80-\xff]*)?$/
const HEADER_LINE =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*$/
/** Blanks behind a size are let pass, as nginx and HAProxy do from a node: there is one way to read them. */
const CHUNK_LINE = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/

/**
 * Reads one final response as RFC 9112 defines it and no other way, over interim ones before it. `incomplete`: sound so far. `fault`: what it
 * does not allow, or what could be read in two ways. Written to be obvious, not fast: the judge of the fuzz.
 */
export function readResponse(bytes: string, reading: ResponseReading): ReadResponse | 'incomplete' | 'fault' {
  let start = 0
  for (;;) {
    const headEnd = bytes.indexOf('\r\n\r\n', start)
    if (headEnd === -1) return 'incomplete'
    const [line = '', ...lines] = bytes.slice(start, headEnd).split('\r\n')
    const status = Number(STATUS_LINE.exec(line)?.[1] ?? 0)
    const headers = readHeaders(lines)
    if (status === 0 || status === 101 || !headers) return 'fault'
    start = headEnd + 4
    if (status < 200) continue
    const body = readBody(bytes, start, { ...reading, status, headers })
    const isLast = headers.has('transfer-encoding') && !line.startsWith('HTTP/1.1')
    return typeof body === 'string' ? body : { status, isLast, ...body }
  }
}

function readHeaders(lines: readonly string[]): Map<string, string[]> | undefined {
  const headers = new Map<string, string[]>()
  for (const text of lines) {
    const line = HEADER_LINE.exec(text)
    if (!line) return undefined
    const name = line[1]!.toLowerCase()
    headers.set(name, [...(headers.get(name) ?? []), line[2]!])
  }
  return headers
}

interface Framing extends ResponseReading {
  readonly status: number
  readonly headers: Map<string, string[]>
}

type Body = Pick<ReadResponse, 'body' | 'end' | 'isUntilClose'>

function readBody(bytes: string, start: number, framing: Framing): Body | 'incomplete' | 'fault' {
  // Whatever it says of a body, there is none.
  if (framing.method === 'HEAD' || framing.status === 204 || framing.status === 304)
    return { body: '', end: start, isUntilClose: false }
  const codings = framing.headers.get('transfer-encoding')
  const lengths = framing.headers.get('content-length')
  const length = lengths?.length === 1 && /^\d{1,15}$/.test(lengths[0]!) ? Number(lengths[0]) : undefined
  const isChunked = codings?.length === 1 && codings[0]!.toLowerCase() === 'chunked'
  if ((codings && (!isChunked || lengths)) || (lengths && length === undefined)) return 'fault'
  if (codings) return readChunks(bytes, start)
  if (length === undefined) {
    if (!framing.isClosed) return 'incomplete'
    return { body: bytes.slice(start), end: bytes.length, isUntilClose: true }
  }
  const end = start + length
  return end > bytes.length ? 'incomplete' : { body: bytes.slice(start, end), end, isUntilClose: false }
}

function readChunks(bytes: string, start: number): Body | 'incomplete' | 'fault' {
  let at = start
  let body = ''
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd === -1) return 'incomplete'
    const line = CHUNK_LINE.exec(bytes.slice(at, lineEnd))
    if (!line) return 'fault'
    const size = Number.parseInt(line[1]!, 16)
    at = lineEnd + 2
    if (size === 0) return readTrailers(bytes, at, body)
    if (at + size + 2 > bytes.length) return 'incomplete'
    if (bytes.slice(at + size, at + size + 2) !== '\r\n') return 'fault'
    body += bytes.slice(at, at + size)
    at += size + 2
  }
}

function readTrailers(bytes: string, start: number, body: string): Body | 'incomplete' | 'fault' {
  if (bytes.startsWith('\r\n', start)) return { body, end: start + 2, isUntilClose: false }
  const end = bytes.indexOf('\r\n\r\n', start)
  if (end === -1) return 'incomplete'
  if (!readHeaders(bytes.slice(start, end).split('\r\n'))) return 'fault'
  return { body, end: end + 4, isUntilClose: false }
}
