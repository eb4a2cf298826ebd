import { once } from 'node:events'
import { request } from 'node:https'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'

/** What a client asks for; the server's certificate is not checked unless it says so. */
export interface TlsAsk extends ConnectionOptions {
  readonly path?: string
  /** The Host header; the server name when absent. */
  readonly hostHeader?: string
}

export interface TlsAnswer {
  readonly status: number
  readonly body: string
  /** Common name of the certificate that the server showed. */
  readonly subject: string
  readonly protocol: string | null
}

/** One request over a connection of its own. Rejects when the handshake or the request fails. */
export function askOverTls(
  port: number,
  { path = '/', hostHeader, ...options }: TlsAsk = {},
): Promise<TlsAnswer> {
  const host = hostHeader ?? options.servername ?? 'localhost'
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path,
        rejectUnauthorized: false,
        headers: { host },
        agent: false,
        ...plain(options),
      },
      (response) => {
        const socket = response.socket as TLSSocket
        const facts = {
          subject: String(socket.getPeerCertificate().subject?.CN ?? ''),
          protocol: socket.getProtocol(),
        }
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString(), ...facts }),
        )
      },
    )
    sent.on('error', reject)
    sent.end()
  })
}

/** Without a name Node's client would ask for that of the Host header. */
function plain({ servername = '', ...options }: ConnectionOptions): ConnectionOptions {
  return { servername, ...options }
}

/** A handshake alone; resolves with the socket, which the caller destroys. */
export async function handshake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
  await once(socket, 'secureConnect')
  return socket
}
