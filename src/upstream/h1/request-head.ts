import type { OutgoingRequest } from '../transport.ts'

const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const UNSAFE_TARGET = /[^\x21-\x7e\x80-\xff]/
/** Everything a value cannot hold: controls but TAB, and what is no byte and would be cut down to one. */
const UNSAFE_VALUE = /[^\t\x20-\x7e\x80-\xff]/

/**
 * Writes the head of a request, framing headers included (RFC 9112 §3, §6). Throws a TypeError on a method, target or value that
 * would end its line: a request is better failed than split. One character is one byte (latin1).
 */
export function writeRequestHead({ method, target, headers, body }: OutgoingRequest): string {
  checkStartLine(method, target)
  let head = `${method} ${target} HTTP/1.1\r\n`
  for (let i = 0; i < headers.length; i += 2) {
    const value = headers[i + 1]!
    checkValue(headers[i]!, value)
    head += `${headers[i]}: ${value}\r\n`
  }
  if (body) {
    head +=
      body.length === undefined ? 'Transfer-Encoding: chunked\r\n' : `Content-Length: ${body.length}\r\n`
  }
  return `${head}\r\n`
}

/** The end of a chunked body. Throws a TypeError as {@link writeRequestHead} does. */
export function writeLastChunk(trailers: readonly string[]): string {
  let text = '0\r\n'
  for (let i = 0; i < trailers.length; i += 2) {
    checkValue(trailers[i]!, trailers[i + 1]!)
    text += `${trailers[i]}: ${trailers[i + 1]}\r\n`
  }
  return `${text}\r\n`
}

/** Throws a TypeError on a method or target that cannot be sent in any version of HTTP. */
export function checkStartLine(method: string, target: string): void {
  if (!METHOD.test(method)) throw new TypeError(`request method ${JSON.stringify(method)} is not a token`)
  if (target === '' || UNSAFE_TARGET.test(target)) {
    throw new TypeError(
      `request target ${JSON.stringify(target)} is empty or holds a character that must be encoded`,
    )
  }
}

/** Throws a TypeError on a header value that cannot be sent in any version of HTTP. */
export function checkValue(name: string, value: string): void {
  if (!isSafeValue(value)) {
    throw new TypeError(`value of request header "${name}" holds a control character or no byte`)
  }
}

/** Whether a header value can be sent in any version of HTTP. */
export function isSafeValue(value: string): boolean {
  return !UNSAFE_VALUE.test(value)
}
