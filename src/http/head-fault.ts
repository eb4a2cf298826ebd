import type { IncomingMessage } from 'node:http'
import type { Refusal } from './refusal.ts'

/** How much of a head is read (docs/reference/limits.md). */
export interface HeadLimits {
  /** Of the request target, as sent. */
  readonly uriBytes: number
  /** Lines. */
  readonly headers: number
  /** Longest body that is announced or sent; Infinity for any. */
  readonly bodyBytes: number
}

const BAD_VERSION: Refusal = { status: 505, reason: 'bad-version' }
const URI_TOO_LONG: Refusal = { status: 414, reason: 'uri-too-long' }
const TOO_MANY_HEADERS: Refusal = { status: 431, reason: 'too-many-headers' }
const TRACE: Refusal = { status: 405, reason: 'trace' }
const BAD_EXPECTATION: Refusal = { status: 417, reason: 'bad-expectation' }
const BAD_CODING: Refusal = { status: 400, reason: 'bad-transfer-encoding' }
const UNKNOWN_CODING: Refusal = { status: 501, reason: 'unknown-transfer-coding' }
const BODY_TOO_LARGE: Refusal = { status: 413, reason: 'body-too-large' }

/** `gzip, chunked`: well-formed, and nothing that this server undoes. */
const CODINGS = /^[a-z-]+(?:[ \t]*,[ \t]*[a-z-]+)*$/i

/** What the parser let through and nobody behind the gateway should have to understand; undefined when the head is sound. */
export function headFault(request: IncomingMessage, limits: HeadLimits): Refusal | undefined {
  const { headers, method, httpVersionMinor, httpVersionMajor, rawHeaders, url = '' } = request
  // The parser takes 0.9 and 2.0 in a request line for HTTP/1.
  if (httpVersionMajor !== 1 && !('stream' in request)) return BAD_VERSION
  if (url.length > limits.uriBytes) return URI_TOO_LONG
  if (rawHeaders.length > limits.headers * 2) return TOO_MANY_HEADERS
  if (method === 'TRACE') return TRACE
  const { expect, 'transfer-encoding': coding, 'content-length': length } = headers
  if (coding !== undefined && (coding !== 'chunked' || httpVersionMinor === 0)) {
    const fault = codingFault(coding, httpVersionMinor)
    if (fault) return fault
  }
  if (length !== undefined && Number(length) > limits.bodyBytes) return BODY_TOO_LARGE
  // HTTP/1.0 has no expectations; one in an odd form would be answered in one way and forwarded in another.
  if (expect !== undefined && httpVersionMinor > 0 && expect.toLowerCase() !== '100-continue')
    return BAD_EXPECTATION
  return undefined
}

/** Only `chunked`, once, and only in HTTP/1.1: in any other form two readers may see two different bodies. */
function codingFault(coding: string, httpVersionMinor: number): Refusal | undefined {
  if (httpVersionMinor === 0) return BAD_CODING
  if (coding.toLowerCase() === 'chunked') return undefined
  return CODINGS.test(coding) ? UNKNOWN_CODING : BAD_CODING
}
