import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Refusal } from './refusal.ts'

const MALFORMED: Refusal = { status: 400, reason: 'malformed' }
const TOO_LONG: Refusal = { status: 431, reason: 'header-too-large' }
const URI_TOO_LONG: Refusal = { status: 414, reason: 'uri-too-long' }

/** What a request that the parser gives up on is answered, by the parser's error code. */
const REFUSALS: ReadonlyMap<string | undefined, Refusal> = new Map([
  ['HPE_HEADER_OVERFLOW', TOO_LONG],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', { status: 400, reason: 'bad-chunk' }],
  ['HPE_INVALID_CHUNK_SIZE', { status: 400, reason: 'bad-chunk' }],
  ['HPE_INVALID_CONTENT_LENGTH', { status: 400, reason: 'bad-content-length' }],
  ['HPE_UNEXPECTED_CONTENT_LENGTH', { status: 400, reason: 'bad-content-length' }],
  ['HPE_INVALID_TRANSFER_ENCODING', { status: 400, reason: 'bad-transfer-encoding' }],
  ['HPE_INVALID_METHOD', { status: 400, reason: 'bad-request-line' }],
  ['HPE_INVALID_URL', { status: 400, reason: 'bad-request-line' }],
  ['HPE_INVALID_VERSION', { status: 400, reason: 'bad-request-line' }],
  ['HPE_INVALID_CONSTANT', { status: 400, reason: 'bad-request-line' }],
  ['HPE_PAUSED_H2_UPGRADE', { status: 400, reason: 'bad-request-line' }],
  ['HPE_INVALID_HEADER_TOKEN', { status: 400, reason: 'bad-header' }],
  ['HPE_UNEXPECTED_SPACE', { status: 400, reason: 'bad-header' }],
  ['HPE_CR_EXPECTED', { status: 400, reason: 'bad-line-end' }],
  ['HPE_LF_EXPECTED', { status: 400, reason: 'bad-line-end' }],
  ['HPE_STRICT', { status: 400, reason: 'bad-line-end' }],
  ['ERR_HTTP_REQUEST_TIMEOUT', { status: 408, reason: 'header-timeout' }],
])

/** Node's own names: the response under way, and whether it says that it is the connection's last. */
type ServerSocket = Duplex & {
  readonly _httpMessage?: (ServerResponse & { readonly _last?: boolean }) | null
}
type ParserError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer; readonly bytesParsed?: number }

/**
 * Answers what never became a request and ends its connection: nothing that follows can be told apart from what was wrong. Returns
 * how it was answered, undefined when there was nobody to answer or a sound request is still to be.
 */
export function refuseUnread(error: ParserError, socket: Duplex): Refusal | undefined {
  const current = (socket as ServerSocket)._httpMessage
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return undefined
  }
  if (current?.headersSent && !current.req.complete) {
    // Its head was answered, and its body was wrong.
    if (current.writableEnded) hangUp(socket)
    else socket.destroy()
    return undefined
  }
  const refusal = refusalOf(error)
  const isBehindLast = current?._last === true || error.code === 'HPE_CLOSED_CONNECTION'
  if (current?.req.complete) {
    // The bytes behind a sound request were wrong: that one still gets its answer.
    current.shouldKeepAlive = false
    current.once('finish', () => hangUp(socket))
  } else endWith(socket, refusal.status)
  return isBehindLast ? undefined : refusal
}

function refusalOf({ code, rawPacket, bytesParsed = 0 }: ParserError): Refusal {
  const refusal = REFUSALS.get(code) ?? MALFORMED
  if (refusal !== TOO_LONG || !rawPacket) return refusal
  return isRequestLine(rawPacket.subarray(0, bytesParsed)) ? URI_TOO_LONG : refusal
}

/** Whether the bytes that were too many are one request line without an end. */
function isRequestLine(bytes: Buffer): boolean {
  return !bytes.includes('\n') && /^[A-Z-]{3,20} \S/.test(bytes.toString('latin1', 0, 24))
}

/** Writes a bare error as the connection's last words. */
export function endWith(socket: Duplex, status: number): void {
  const title = `${status} ${STATUS_CODES[status]}`
  const body = `${JSON.stringify({ error_msg: title })}\n`
  socket.write(
    `HTTP/1.1 ${title}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  )
  hangUp(socket)
}

/**
 * Makes the connection read on for a moment once this answer, its last, is written. A system that has bytes left unread takes back
 * what was said: the client would find its connection reset before it has read why.
 */
export function lingerAfter({ socket }: ServerResponse): void {
  if (!socket) return
  // What the HTTP server ends a connection with.
  socket.destroySoon = () => hangUp(socket)
}

/** How long a client may take to read the last words; bytes of it that stayed unread would make the system take them back. */
const LINGER_MS = 1000

/** Ends a connection after its last words, which the client is given a moment to read. */
export function hangUp(socket: Duplex): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref()
  socket.once('close', () => clearTimeout(timer)).on('error', () => socket.destroy())
  socket.end()
  socket.resume()
}
