import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import type { TestContext } from 'node:test'
import type { ReadRequest } from './strict-reader.ts'

/** A node that notes each request whose body arrived whole. */
export interface Recorder {
  readonly address: string
  /** What has arrived since the last call. */
  take(): ReadRequest[]
}

export async function startRecorder(t: Pick<TestContext, 'after'>): Promise<Recorder> {
  let received: ReadRequest[] = []
  const server = createServer((request, response) => {
    let bodyBytes = 0
    request.on('data', (chunk: Buffer) => {
      bodyBytes += chunk.length
    })
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      if (request.complete) received.push({ method, target: url, host: headers.host ?? '', bodyBytes })
      response.end('ok')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    take: () => {
      const taken = received
      received = []
      return taken
    },
  }
}

/** Longest time for one stream; a proxy that keeps a connection open longer is cut off. */
const STREAM_MS = 3000

/** Sends a stream, half-closes, and reads until the proxy closes. Returns the number of final responses. */
export function sendStream(port: number, stream: string): Promise<number> {
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(port, '127.0.0.1')
    socket.setEncoding('latin1')
    socket.setTimeout(STREAM_MS, () => socket.destroy())
    socket.on('data', (chunk) => {
      text += chunk
    })
    // A proxy may reset what it does not want to read; that is an answer, too.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => resolve(text.match(/HTTP\/1\.1 [2-5]\d\d /g)?.length ?? 0))
    socket.end(stream, 'latin1')
  })
}
