import { isIPv6 } from 'node:net'
import { domainToASCII } from 'node:url'

export interface RequestHost {
  /** Lower case, ASCII, without port and without one trailing dot; an IPv6 literal keeps its brackets. */
  readonly host: string
  readonly port: number | undefined
}

const PLAIN_NAME = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/
const PORT = /^\d{1,5}$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is what is not ASCII
const BEYOND_ASCII = /[^\x00-\x7f]/

/**
 * Reads a Host header, an `:authority` or the authority of an absolute target. An internationalised name (UTF-8 bytes as Node hands
 * them over) becomes its `xn--` form, so that each spelling is one host. `undefined` when it is malformed: empty, user
 * information, comma, blank, empty label, port above 65535, bad IPv6 literal.
 */
export function parseHost(hostHeader: string): RequestHost | undefined {
  const portMark = hostHeader.startsWith('[') ? hostHeader.indexOf(']') + 1 : hostHeader.indexOf(':')
  if (hostHeader.startsWith('[')) return parseLiteral(hostHeader, portMark)
  const port = portMark === -1 ? undefined : parsePort(hostHeader, portMark)
  if (port === -1) return undefined
  const host = canonicalName(portMark === -1 ? hostHeader : hostHeader.slice(0, portMark))
  return host === undefined ? undefined : { host, port }
}

function parseLiteral(text: string, end: number): RequestHost | undefined {
  const port = end === text.length ? undefined : parsePort(text, end)
  if (end === 0 || port === -1 || text.includes('%') || !isIPv6(text.slice(1, end - 1))) return undefined
  return { host: text.slice(0, end).toLowerCase(), port }
}

/** −1 when it is no port; an empty one (`a.com:`) is none, RFC 3986 §3.2.3. */
function parsePort(text: string, mark: number): number | undefined {
  if (text[mark] !== ':') return -1
  const digits = text.slice(mark + 1)
  if (digits === '') return undefined
  return PORT.test(digits) && Number(digits) <= 65535 ? Number(digits) : -1
}

function canonicalName(text: string): string | undefined {
  if (PLAIN_NAME.test(text)) return text
  const ascii = BEYOND_ASCII.test(text) ? toAscii(text) : text
  const undotted = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii
  const name = undotted.toLowerCase()
  return PLAIN_NAME.test(name) ? name : undefined
}

function toAscii(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is every byte a latin1 header can hold
  return domainToASCII(/^[\x00-\xff]*$/.test(text) ? Buffer.from(text, 'latin1').toString('utf8') : text)
}
