import { isIP } from 'node:net'
import { key, type LeafSpec, leaf, listOf, section, union } from './key-spec.ts'
import { parseSize, parseTime } from './measures.ts'

/** The kinds of single values that settings are made of. */
export const FLAG = leaf('true or false', (value) => typeof value === 'boolean')

export const TEXT = leaf('a non-empty text', (value) => typeof value === 'string' && value !== '')

/** A text that may be empty, where an empty one means "not set". */
export const MAYBE_EMPTY_TEXT = leaf(
  'a text, in quotes if it looks like a number',
  (value) => typeof value === 'string',
)

const TLS_VERSION = /^TLSv1\.[123]$/

/** `TLSv1.2 TLSv1.3`. */
export const TLS_VERSIONS = leaf(
  'TLSv1.1, TLSv1.2 and TLSv1.3, separated by spaces',
  (value) => typeof value === 'string' && value.split(' ').every((word) => TLS_VERSION.test(word)),
)

export const PORT = integer(0, 65535, 'a port, 0–65535')

export const IP = leaf('an IP address', (value) => typeof value === 'string' && isIP(bareIp(value)) !== 0)

export const IP_OR_CIDR = leaf('an IP address or CIDR such as 10.0.0.0/8', isIpOrCidr)

export const PATH = leaf(
  'a path that starts with "/"',
  (value) => typeof value === 'string' && /^\/\S*$/.test(value),
)

export const SECONDS = leaf(
  'a number of seconds above 0, at most 86400',
  (value) => typeof value === 'number' && value > 0 && value <= 86_400,
)

/** Of a whole. */
export const SHARE = leaf('a number, 0–1', (value) => typeof value === 'number' && value >= 0 && value <= 1)

const DAY_MS = 86_400_000

/** As nginx writes it. */
export const WORKERS = leaf(
  'a whole number, 1–256, or "auto"',
  (value) =>
    value === 'auto' || (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 256),
)

/** As nginx writes it. */
export const TIME = leaf('a time such as 10s, 500ms or 1m, above 0 and at most 1d', (value) => {
  const ms = parseTime(value)
  return ms !== undefined && ms > 0 && ms <= DAY_MS
})

export const TIME_OR_NONE = leaf('a time such as 60s or 1m, at most 1d, or 0', (value) => {
  const ms = parseTime(value)
  return ms !== undefined && ms <= DAY_MS
})

/** As nginx writes it. */
export const SIZE = leaf('a size such as 0, 512k, 10m or 1g', (value) => parseSize(value) !== undefined)

/** A whole number in a range; `allowed` overrides the words. */
export function integer(min: number, max: number, allowed = `a whole number, ${min}–${max}`): LeafSpec {
  return leaf(
    allowed,
    (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
  )
}

/** One of a few words. */
export function choice(...words: readonly [string, ...string[]]): LeafSpec {
  const allowed =
    words.length === 1 ? `"${words[0]}"` : `one of ${words.map((word) => `"${word}"`).join(', ')}`
  return leaf(allowed, (value) => typeof value === 'string' && words.includes(value))
}

/** `1.1.1.1`, `1.1.1.1:5353`, `[::1]:53`. */
export const DNS_SERVER = leaf('the IP address of a server, with ":port" where it is not 53', isDnsServer)

/** A list of texts. */
export const TEXTS = listOf(TEXT, 'a list of texts')

/** `{ip, port}`, and what APISIX writes beside it. */
export const ADDRESS_KEYS = {
  ip: key(IP, 'address to listen on'),
  port: key(PORT, 'port to listen on'),
}

/** `9080`, `[9080]` or `[{ip, port}]`. */
export const LISTENERS = union(
  'a port 0–65535, or a list of ports or of {ip, port}',
  PORT,
  listOf(
    union(
      'a port 0–65535 or {ip, port}',
      PORT,
      section(
        { ...ADDRESS_KEYS, enable_http2: key(FLAG, ''), enable_http3: key(FLAG, '') },
        { required: ['port'] },
      ),
    ),
    'a list of ports or of {ip, port}',
    1,
  ),
)

/** An IPv6 address without the brackets that nginx wants around it. */
export function bareIp(ip: string): string {
  return ip.startsWith('[') && ip.endsWith(']') ? ip.slice(1, -1) : ip
}

function isDnsServer(value: unknown): boolean {
  if (typeof value !== 'string') return false
  if (isIP(bareIp(value)) !== 0) return true
  const [, ip = '', port] = /^(.+):(\d{1,5})$/.exec(value) ?? []
  return isIP(bareIp(ip)) === (ip.startsWith('[') ? 6 : 4) && Number(port) >= 1 && Number(port) <= 65535
}

function isIpOrCidr(value: unknown): boolean {
  if (typeof value !== 'string') return false
  const [ip = '', bits, ...more] = value.split('/')
  const version = isIP(ip)
  if (version === 0 || more.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}
