/** A request as two readers of one byte stream must agree on it. */
export interface ReadRequest {
  readonly method: string
  readonly target: string
  readonly host: string
  readonly bodyBytes: number
}

/** More than one blank around the target is let pass, as RFC 9112 §3 allows and Node does: there is one way to read it. */
const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) +([\x21-\x7e]+) +HTTP\/1\.([01])$/
const HEADER_LINE =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[\x21-\xff](?:[\t \x21-\xff]*[\x21-\xff])?)?)[ \t]*$/
const CHUNK_LINE = /^([0-9a-fA-F]{1,12})(?:[ \t]*;.*)?$/

/**
 * Reads a stream of requests as RFC 9112 defines it and no other way, up to the first thing that it does not allow or that could
 * be read in two ways. Written to be obvious, not fast: the judge of the fuzz.
 */
export function readStrictly(stream: string): ReadRequest[] {
  const requests: ReadRequest[] = []
  let at = 0
  while (at < stream.length) {
    const read = readOne(stream, at)
    if (!read) break
    requests.push(read.request)
    at = read.end
  }
  return requests
}

function readOne(stream: string, start: number): { request: ReadRequest; end: number } | undefined {
  const headEnd = stream.indexOf('\r\n\r\n', start)
  if (headEnd === -1) return undefined
  const [requestLine = '', ...lines] = stream.slice(start, headEnd).split('\r\n')
  const line = REQUEST_LINE.exec(requestLine)
  const headers = readHeaders(lines)
  if (!line || !headers) return undefined
  const hosts = headers.get('host') ?? []
  if (hosts.length > 1 || (hosts.length === 0 && line[3] === '1')) return undefined
  const body = readBody(stream, headEnd + 4, { headers, isHttp11: line[3] === '1' })
  if (!body) return undefined
  const request = { method: line[1]!, target: line[2]!, host: hosts[0] ?? '', bodyBytes: body.bytes }
  return { request, end: body.end }
}

function readHeaders(lines: readonly string[]): Map<string, string[]> | undefined {
  const headers = new Map<string, string[]>()
  for (const text of lines) {
    const line = HEADER_LINE.exec(text)
    if (!line || /[\r\n\0]/.test(text)) return undefined
    const name = line[1]!.toLowerCase()
    headers.set(name, [...(headers.get(name) ?? []), line[2]!])
  }
  return headers
}

interface Framing {
  readonly headers: Map<string, string[]>
  readonly isHttp11: boolean
}

function readBody(
  stream: string,
  start: number,
  { headers, isHttp11 }: Framing,
): { bytes: number; end: number } | undefined {
  const codings = headers.get('transfer-encoding')
  const lengths = headers.get('content-length')
  if (codings) {
    const isPlain = isHttp11 && codings.length === 1 && codings[0]!.toLowerCase() === 'chunked' && !lengths
    return isPlain ? readChunks(stream, start) : undefined
  }
  if (!lengths) return { bytes: 0, end: start }
  if (lengths.length !== 1 || !/^\d{1,15}$/.test(lengths[0]!)) return undefined
  const bytes = Number(lengths[0])
  return start + bytes <= stream.length ? { bytes, end: start + bytes } : undefined
}

function readChunks(stream: string, start: number): { bytes: number; end: number } | undefined {
  let at = start
  let bytes = 0
  for (;;) {
    const lineEnd = stream.indexOf('\r\n', at)
    const line = lineEnd === -1 ? undefined : CHUNK_LINE.exec(stream.slice(at, lineEnd))
    if (!line) return undefined
    const size = Number.parseInt(line[1]!, 16)
    at = lineEnd + 2
    if (size === 0) return readTrailers(stream, at, bytes)
    if (stream.slice(at + size, at + size + 2) !== '\r\n') return undefined
    bytes += size
    at += size + 2
  }
}

function readTrailers(
  stream: string,
  start: number,
  bytes: number,
): { bytes: number; end: number } | undefined {
  if (stream.startsWith('\r\n', start)) return { bytes, end: start + 2 }
  const end = stream.indexOf('\r\n\r\n', start)
  if (end === -1 || !readHeaders(stream.slice(start, end).split('\r\n'))) return undefined
  return { bytes, end: end + 4 }
}
