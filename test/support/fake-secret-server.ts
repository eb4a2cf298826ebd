import { createHash, createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import type { Certificate } from './certificates.ts'

export interface SecretCall {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** What a fake secret manager answers: JSON with 200, a status, or what it does with the connection. */
export type SecretReply =
  | { readonly status?: number; readonly json?: unknown; readonly headers?: Record<string, string> }
  | 'hang'

export interface FakeSecretServer {
  readonly url: string
  readonly calls: readonly SecretCall[]
}

/** Starts a server on a free port in the place of a secret manager, closed when the test ends. */
export async function fakeSecretServer(
  t: Pick<TestContext, 'after'>,
  reply: (call: SecretCall) => SecretReply,
  certificate?: Certificate,
): Promise<FakeSecretServer> {
  const calls: SecretCall[] = []
  const listener: RequestListener = async (request, response) => {
    const { method = '', url: path = '', headers } = request
    const call = { method, path, headers, body: await text(request) }
    calls.push(call)
    const answer = reply(call)
    if (answer === 'hang') return
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers })
    response.end(JSON.stringify(answer.json ?? {}))
  }
  const server = certificate ? createTlsServer({ ...certificate }, listener) : createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  const { port } = server.address() as AddressInfo
  return { url: `${certificate ? 'https' : 'http'}://127.0.0.1:${port}`, calls }
}

/** Whether a call that arrived bears the right Signature Version 4, from what stands on the wire. */
export function hasAwsSignature({ method, path, headers, body }: SecretCall, secretKey: string): boolean {
  const { authorization = '' } = headers
  const [, area = '', names = '', signature] =
    /Credential=[^/]+\/(\S+), SignedHeaders=(\S+), Signature=(\w+)$/.exec(authorization) ?? []
  const hash = (content: string) => createHash('sha256').update(content).digest('hex')
  const hmac = (key: string | Buffer, content: string) => createHmac('sha256', key).update(content).digest()
  const lines = names.split(';').map((name) => `${name}:${headers[name]}\n`)
  const request = `${method}\n${path}\n\n${lines.join('')}\n${names}\n${hash(body)}`
  const toSign = `AWS4-HMAC-SHA256\n${headers['x-amz-date']}\n${area}\n${hash(request)}`
  const key = area.split('/').reduce<string | Buffer>(hmac, `AWS4${secretKey}`)
  return hmac(key, toSign).toString('hex') === signature
}
