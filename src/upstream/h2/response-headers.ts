import { without } from '../h1/response-head.ts'
import type { ResponseHead } from '../transport.ts'

/** Reads a final header block (flat, pseudo headers first), as `node:http2` gives it. */
export function readHead(raw: readonly string[], method: string): ResponseHead {
  const headers: string[] = []
  let status = 0
  let length: number | undefined
  let hasTrailer = false
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    if (name === ':status') status = Number(value)
    if (name.startsWith(':')) continue
    if (name === 'content-length') length = Number(value)
    if (name === 'trailer') hasTrailer = true
    headers.push(name, value)
  }
  const hasBody = method !== 'HEAD' && status !== 204 && status !== 304
  const bodyLength = hasBody ? length : 0
  const own = hasTrailer && bodyLength !== undefined ? without(headers, ['trailer']) : headers
  return { status, reason: '', headers: own, bodyLength }
}

/** Reads an interim or trailing header block as a flat list, without pseudo headers. */
export function readFields(raw: readonly string[]): string[] {
  const fields: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    if (!raw[i]!.startsWith(':')) fields.push(raw[i]!, raw[i + 1]!)
  }
  return fields
}
