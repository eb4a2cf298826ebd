import type { RequestContext } from '../../src/plugin/api.ts'

/** Whether the client's connection is encrypted, also where a trusted proxy ends TLS: of others `X-Forwarded-*` do not come this far. */
export function isOverTls({ headers, scheme }: RequestContext): boolean {
  return (headers.get('x-forwarded-proto') ?? scheme) === 'https'
}

/** Scheme, host and port under which the client reaches this gateway. */
export function originOf(context: RequestContext): string {
  const { headers } = context
  const host = headers.get('x-forwarded-host') ?? headers.get('host') ?? context.host
  return `${isOverTls(context) ? 'https' : 'http'}://${host}`
}
