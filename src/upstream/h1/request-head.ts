import type { OutgoingRequest } from '../transport.ts'

const UNSAFE_TARGET = /[^\x21-\x7e\x80-\xff]/
const UNSAFE_VALUE = /[\r\n\0]/

/**
 * Writes the head of a request, framing headers included (RFC 9112 §3, §6). Throws on a target or value that would end its line:
 * nothing that reaches here should hold one, and a request is better failed than split.
 */
export function writeRequestHead({ method, target, headers, body }: OutgoingRequest): string {
  if (UNSAFE_TARGET.test(target))
    throw new TypeError('request target contains a space or a control character')
  let head = `${method} ${target} HTTP/1.1\r\n`
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`
  if (body) {
    head +=
      body.length === undefined ? 'Transfer-Encoding: chunked\r\n' : `Content-Length: ${body.length}\r\n`
  }
  return `${head}\r\n`
}

/** Whether a header value can be written without starting a new line. */
export function isSafeValue(value: string): boolean {
  return !UNSAFE_VALUE.test(value)
}
