import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { SecretFailure } from './secret-failure.ts'

/** A call to a secret manager. */
export interface SecretRequest {
  readonly method: 'GET' | 'POST'
  /** Absolute, `http:` or `https:`. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** False does not check the server's certificate. */
  readonly isVerified?: boolean
}

export interface SecretResponse {
  readonly status: number
  readonly body: string
}

/** Makes one call; rejects with a {@link SecretFailure}, or with the signal's reason. Redirects are answers like any other. */
export type SecretFetch = (request: SecretRequest, signal: AbortSignal) => Promise<SecretResponse>

export interface HttpFetchOptions {
  /** PEM certificates of the authorities that are trusted; absent trusts those of Node.js. */
  readonly trustedCertificates?: string
}

/** Managers keep at most 64 KiB in a secret; Vault 1 MiB. */
const MAX_BODY_BYTES = 1 << 20

/**
 * Calls over connections that close with the answer: calls are rare, and nothing is left open when a manager is gone. Node's own
 * `fetch` can neither trust another authority nor leave one unchecked, hence `node:https`.
 */
export function createHttpFetch({ trustedCertificates }: HttpFetchOptions = {}): SecretFetch {
  return ({ method, url, headers, body, isVerified = true }, signal) =>
    new Promise((resolve, reject) => {
      const target = new URL(url)
      const failed = (error: NodeJS.ErrnoException) => {
        const seen = signal.aborted ? signal.reason : new SecretFailure(describeError(error, target.host))
        reject(seen)
      }
      const send = target.protocol === 'https:' ? requestHttps : requestHttp
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      const options = {
        method,
        headers: { ...headers, ...length },
        agent: false as const,
        signal,
        rejectUnauthorized: isVerified,
        ...(trustedCertificates !== undefined && { ca: trustedCertificates }),
      }
      const request = send(target, options, (response) => {
        readBody(response).then((text) => resolve({ status: response.statusCode ?? 0, body: text }), failed)
      })
      request.on('error', failed).end(body)
    })
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new SecretFailure(`it answered with more than ${MAX_BODY_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function describeError(error: NodeJS.ErrnoException, host: string): string {
  if (error instanceof SecretFailure) return error.message
  return `${host} cannot be asked (${error.code ?? error.name})`
}
