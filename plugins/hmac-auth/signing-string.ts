import type { RequestContext } from '../../src/plugin/api.ts'

/** What of a request is signed. */
export type SignedRequest = Pick<RequestContext, 'headers' | 'method' | 'path' | 'queryString' | 'rawTarget'>

const REQUEST_TARGET = '@request-target'
/** Decoded, these would end the line, or begin the query, of another request that has the same signing string. */
const AMBIGUOUS = /[\r\n?]/

/**
 * What the client has signed (contract §7.1), a character for each byte, as headers come; `undefined` when it names a header that
 * the request does not have.
 */
export function signingString(
  request: SignedRequest,
  keyId: string,
  headers: readonly string[],
): string | undefined {
  let text = `${keyId}\n`
  for (const name of headers) {
    if (name === REQUEST_TARGET) {
      text += `${request.method} ${targetOf(request)}\n`
      continue
    }
    // All lines of the header: what stands in a second one would otherwise reach the upstream unsigned.
    const values = request.headers.all(name.toLowerCase())
    if (values.length === 0) return undefined
    text += `${name}: ${values.join(', ')}\n`
  }
  return text
}

function targetOf({ path, queryString, rawTarget }: SignedRequest): string {
  if (AMBIGUOUS.test(path)) return rawTarget
  const bytes = Buffer.from(path).toString('latin1')
  return queryString === '' ? bytes : `${bytes}?${queryString}`
}
