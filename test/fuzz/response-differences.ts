import { isDeepStrictEqual } from 'node:util'
import { type Answer, type Exchange, isRefusal } from './response-exchange.ts'
import { type ReadResponse, readResponse } from './strict-response.ts'

interface Judged extends Exchange {
  /** The response as the strict reader has it. */
  readonly strict: ReadResponse | 'incomplete' | 'fault'
}

interface Reason {
  readonly text: string
  applies(exchange: Judged): boolean
}

/** As many as src/upstream/h1/response-parser.ts takes. */
const MOST_INTERIM = 16
const MOST_HEAD_BYTES = 64 * 1024

/** Where proxies may differ, and why that is right; the first that applies counts. */
const REASONS: readonly Reason[] = [
  { text: 'the same', applies: ({ ours, theirs }) => isDeepStrictEqual(ours.first, theirs.first) },
  {
    text: 'both refuse, one with a 502 and one by breaking off',
    applies: ({ ours, theirs }) => isRefusal(ours) && isRefusal(theirs),
  },
  {
    text: 'it passes on what RFC 9112 does not allow or what can be read in two ways; Gatewright refuses',
    applies: ({ ours, strict }) => isRefusal(ours) && typeof strict === 'string',
  },
  {
    text: 'it leads its client astray, or uses the connection of a fault again; Gatewright reads as the RFC does',
    applies: (exchange) => isAsRead(exchange) && isAstray(exchange.theirs),
  },
  {
    text: 'nginx 1.22 takes an interim response for the final one, or ends there; Gatewright reads as the RFC does',
    applies: (exchange) => exchange.other === 'nginx' && isAsRead(exchange) && beginsInterim(exchange),
  },
  {
    text: 'many interim responses before the final one: Gatewright gives up, as nobody needs them',
    applies: ({ ours, response }) => isRefusal(ours) && interimCount(response.bytes) > MOST_INTERIM,
  },
  {
    text: 'a head above 64 KiB: Gatewright refuses, whatever buffers the others are given',
    applies: ({ ours, response }) => isRefusal(ours) && headBytes(response.bytes) > MOST_HEAD_BYTES,
  },
  {
    text: 'header fields frame a body wrongly where there is none: Gatewright refuses, as others may look for one',
    applies: ({ ours, response }) => isRefusal(ours) && framesWrongly(response.bytes),
  },
  {
    text: 'HAProxy 2.6 can show only the beginning of a body, behind an interim response or until the end; Gatewright all of it',
    applies: (exchange) =>
      exchange.other === 'haproxy' &&
      isAsRead(exchange) &&
      (isUntilClose(exchange) || beginsInterim(exchange)) &&
      isCutShort(exchange),
  },
]

const beginsInterim = ({ response }: Judged) => /^HTTP\/1\.1 1\d\d/.test(response.bytes)
const isUntilClose = ({ strict }: Judged) => typeof strict !== 'string' && strict.isUntilClose
const interimCount = (bytes: string) => bytes.match(/HTTP\/1\.1 1\d\d /g)?.length ?? 0
const headBytes = (bytes: string) => bytes.indexOf('\r\n\r\n')

/** Whether one of the heads, of interim responses too, would be none of a response with a body. */
function framesWrongly(bytes: string): boolean {
  return [...bytes.matchAll(/HTTP\/1\.[01] \d{3}[\s\S]*?\r\n\r\n/g)].some(([head]) => {
    const withBody = head.replace(/^(HTTP\/1\.[01]) \d+/, '$1 200')
    return readResponse(withBody, { method: 'GET', isClosed: true }) === 'fault'
  })
}

/** Whether the other shows only the beginning of the body. */
function isCutShort({ ours, theirs }: Judged): boolean {
  if (typeof ours.first === 'string' || typeof theirs.first === 'string') return false
  return ours.first.status === theirs.first.status && ours.first.body.startsWith(theirs.first.body)
}

function isAstray({ first, second, isReusedAfterFault }: Answer): boolean {
  return first === 'garbage' || second === 'wrong' || isReusedAfterFault
}

/** Whether Gatewright showed what the strict reader reads. */
function isAsRead({ ours: { first }, strict }: Judged): boolean {
  if (typeof first === 'string' || typeof strict === 'string') return false
  return first.status === strict.status && first.body === strict.body
}

/** Why the two differ; `undefined` when nobody has said why. Gatewright is never excused for leading its client astray. */
export function explain(exchange: Exchange): string | undefined {
  const { ours, response, method } = exchange
  if (isAstray(ours)) return undefined
  const strict = readResponse(response.bytes, { method, isClosed: true })
  return REASONS.find((reason) => reason.applies({ ...exchange, strict }))?.text
}
