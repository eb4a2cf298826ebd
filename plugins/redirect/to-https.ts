import type { Reply, RequestContext } from '../../src/plugin/api.ts'
import { encodeUri } from './location.ts'

const HTTPS_PORT = 443
/** Of a request of HTTP/1.0 without `Host`: there is nowhere to send it, and it must not go on without TLS. */
const NO_HOST: Reply = { status: 400 }

/** Compiles `http_to_https`: `port` is where clients find TLS, left out when it is the usual one or not known. */
export function compileToHttps(port: number | undefined): (context: RequestContext) => Reply | undefined {
  const suffix = port === undefined || port === HTTPS_PORT ? '' : `:${port}`
  return (context) => {
    const scheme = context.headers.get('x-forwarded-proto') ?? context.scheme
    if (scheme !== 'http') return undefined
    if (context.host === '') return NO_HOST
    const { method } = context
    const keepsMethod = method !== 'GET' && method !== 'HEAD'
    return {
      status: keepsMethod ? 308 : 301,
      headers: { Location: `https://${context.host}${suffix}${targetOf(context)}` },
    }
  }
}

/** As the client wrote it where it wrote a path: what it encoded stays encoded. The `*` of `OPTIONS *` is no path. */
function targetOf({ rawTarget, requestUri }: RequestContext): string {
  if (rawTarget.startsWith('/')) return encodeUri(rawTarget, 'latin1')
  return requestUri.startsWith('/') ? encodeUri(requestUri) : '/'
}
