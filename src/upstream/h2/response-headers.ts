import type { ResponseHead } from '../transport.ts'

/** Reads a final header block (flat, pseudo headers first), as `node:http2` gives it. */
export function readHead(raw: readonly string[], method: string): ResponseHead {
  const headers: string[] = []
  let status = 0
  let length: number | undefined
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    if (name === ':status') status = Number(value)
    if (name.startsWith(':')) continue
    if (name === 'content-length') length = Number(value)
    headers.push(name, value)
  }
  const hasBody = method !== 'HEAD' && status !== 204 && status !== 304
  return { status, reason: '', headers, bodyLength: hasBody ? length : 0 }
}

/** Reads a trailing header block; pseudo headers have no place there and are left out. */
export function readTrailers(raw: readonly string[]): string[] {
  const trailers: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    if (!raw[i]!.startsWith(':')) trailers.push(raw[i]!, raw[i + 1]!)
  }
  return trailers
}
