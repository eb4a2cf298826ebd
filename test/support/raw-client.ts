import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

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

/** A connection that says what the test writes and remembers what it is told. */
export interface RawConnection {
  readonly socket: Socket
  /** Everything received so far. */
  readonly text: string
  readonly isClosed: boolean
  send(bytes: string): void
  /** Resolves once the text received matches; fails with that text when the connection ends first or within 20 s it does not. */
  until(pattern: RegExp): Promise<string>
  /** Resolves with the whole text when the server has closed. */
  untilClosed(): Promise<string>
}

/** Opens a connection that lives until the test ends. */
export async function rawConnect(t: Pick<TestContext, 'after'>, port: number): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  t.after(() => socket.destroy())
  let text = ''
  let isClosed = false
  socket.setEncoding('latin1')
  socket.on('data', (chunk) => {
    text += chunk
  })
  // Whatever ends the connection, `isClosed` tells.
  socket.on('error', () => socket.destroy())
  socket.on('close', () => {
    isClosed = true
  })
  const wait = async (what: string, isDone: () => boolean): Promise<string> => {
    const end = Date.now() + 20_000
    while (!isDone()) {
      if (isClosed || Date.now() > end) {
        throw new Error(`${isClosed ? 'closed' : 'silent'} before ${what}; received ${JSON.stringify(text)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    return text
  }
  return {
    socket,
    get text() {
      return text
    },
    get isClosed() {
      return isClosed
    },
    send: (bytes) => void socket.write(bytes, 'latin1'),
    until: (pattern) => wait(String(pattern), () => pattern.test(text)),
    untilClosed: () => wait('the end', () => isClosed),
  }
}
