import { connect, type Socket } from 'node:net'

/** One response as it stood on the wire. */
export interface RawResponse {
  readonly status: number
  /** Lower-case names; the last of several. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly text: string
}

/**
 * Sends bytes as they are and reads until the server closes; the request should ask for that. For what no HTTP client would send.
 */
export async function rawRequest(port: number, bytes: string): Promise<RawResponse> {
  const text = await exchange(connect(port, '127.0.0.1'), bytes)
  return parseResponse(text)
}

function exchange(socket: Socket, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.setEncoding('latin1')
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
    socket.write(bytes, 'latin1')
  })
}

/** Splits a response; a body is given as it stood, chunked framing included. */
export function parseResponse(text: string): RawResponse {
  const end = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  return { status: Number(statusLine.split(' ')[1]), headers, body: text.slice(end + 4), text }
}
