import type { Exchange } from './exchange.ts'

/**
 * Hands the upstream's trailers to the response, whose head may be out already. To an HTTP/1 client only when it asked for them
 * (`TE: trailers`) and the body is chunked; in any other form there is no room for them.
 */
export function addTrailers({ request, response }: Exchange, flat: readonly string[]): void {
  const isHttp1 = request.httpVersionMajor === 1
  if (isHttp1 && !(response.chunkedEncoding && acceptsTrailers(request.headers.te))) return
  const trailers: Record<string, string | string[]> = Object.create(null)
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!.toLowerCase()
    const before = trailers[name]
    trailers[name] = before === undefined ? flat[i + 1]! : [before, flat[i + 1]!].flat()
  }
  response.addTrailers(trailers as Record<string, string>)
}

function acceptsTrailers(te: string | string[] | undefined): boolean {
  return te !== undefined && /(?:^|,)\s*trailers\s*(?:$|[,;])/i.test(String(te))
}
