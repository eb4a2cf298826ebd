import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'

/** What a request that the parser gives up on is answered, by the parser's error code. */
const STATUS_OF_CODE: ReadonlyMap<string | undefined, number> = new Map([
  ['HPE_HEADER_OVERFLOW', 431],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', 413],
  ['ERR_HTTP_REQUEST_TIMEOUT', 408],
])

type ServerSocket = Duplex & { readonly _httpMessage?: ServerResponse | null }

/** Answers what never became a request and ends its connection: nothing that follows can be told apart from what was wrong. */
export function refuseUnread(error: NodeJS.ErrnoException, socket: Duplex): void {
  // Node's own name for the response under way.
  const current = (socket as ServerSocket)._httpMessage
  if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy()
  else if (current?.req.complete) {
    // The bytes behind a sound request were wrong: that one still gets its answer.
    current.shouldKeepAlive = false
    current.once('finish', () => hangUp(socket))
  } else if (current?.headersSent) socket.destroy()
  else endWith(socket, STATUS_OF_CODE.get(error.code) ?? 400)
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

/** How long a client may take to read the last words; bytes of it that stayed unread would make the system take them back. */
const LINGER_MS = 1000

/** Ends a connection after its last words, which the client is given a moment to read. */
export function hangUp(socket: Duplex): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref()
  socket.once('close', () => clearTimeout(timer)).on('error', () => socket.destroy())
  socket.end()
  socket.resume()
}
