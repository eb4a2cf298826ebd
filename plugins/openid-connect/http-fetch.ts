import type { HttpCall, HttpClient } from '../../src/plugin/api.ts'

/** The part of `fetch` that the OpenID libraries use. */
export type Fetch = (
  url: string,
  init: { method?: string; headers?: unknown; body?: unknown },
) => Promise<Response>

const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304])

/** `fetch` by way of the gateway's own client, so that its limits, its TLS settings and its connections hold here too. */
export function compileFetch(
  http: HttpClient,
  options: Pick<HttpCall, 'timeoutMs' | 'tls' | 'signal'>,
  extraHeaders: Readonly<Record<string, readonly string[]>> = {},
): Fetch {
  return async (url, { method = 'GET', headers, body }) => {
    const lines = Object.fromEntries(new Headers(headers as ConstructorParameters<typeof Headers>[0]))
    const answer = await http.call({
      ...options,
      url,
      method,
      headers: { ...extraHeaders, ...lines },
      ...(body !== undefined && body !== null && { body: bytesOf(body) }),
    })
    const raw = answer.headers.raw()
    const received = new Headers()
    for (let i = 0; i < raw.length; i += 2) received.append(raw[i]!, raw[i + 1]!)
    const content = WITHOUT_BODY.has(answer.status) ? null : new Uint8Array(answer.body)
    return new Response(content, { status: answer.status, headers: received })
  }
}

function bytesOf(body: unknown): string | Uint8Array {
  return body instanceof Uint8Array ? body : String(body)
}
