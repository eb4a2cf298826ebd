import { once } from 'node:events'
import http2, {
  type ClientHttp2Session,
  type ClientSessionOptions,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2'
import type { TestContext } from 'node:test'

/** One answer on a stream. */
export interface Http2Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly trailers: IncomingHttpHeaders | undefined
  readonly body: string
}

/** Connects with HTTP/2 (prior knowledge, or ALPN for https) and closes the session when the test ends. */
export async function connectHttp2(
  t: Pick<TestContext, 'after'>,
  url: string,
  options: ClientSessionOptions | SecureClientSessionOptions = {},
): Promise<ClientHttp2Session> {
  const session = http2.connect(url, options)
  t.after(() => session.destroy())
  await once(session, 'remoteSettings')
  // Whatever ends it later is what the test looks at.
  session.on('error', () => {})
  return session
}

/** Sends a request and reads the whole answer; rejects when the stream is reset. */
export async function ask(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string | Uint8Array,
): Promise<Http2Answer> {
  const stream = session.request(headers, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  let trailers: IncomingHttpHeaders | undefined
  stream.on('trailers', (received) => {
    trailers = received
  })
  const [received] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }]
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return { status: received[':status'], headers: received, trailers, body: Buffer.concat(chunks).toString() }
}
