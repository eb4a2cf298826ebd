import type { Headers } from '../../src/plugin/api.ts'

/** What B3 headers say of the trace that a request belongs to. */
export interface B3 {
  /** Both or none. Hexadecimal in lower case: 16 or 32 digits, and 16. */
  readonly ids: { readonly traceId: string; readonly spanId: string } | undefined
  /** `undefined` leaves the decision to the reader. */
  readonly isSampled: boolean | undefined
  /** Sampled whatever a sampler says, and marked as such. */
  readonly isDebug: boolean
}

/** The span that the upstream's spans belong under. */
export interface B3Span {
  readonly traceId: string
  readonly requestSpanId: string
  readonly proxySpanId: string
  readonly isDebug: boolean
}

const TRACE_ID = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/
const SPAN_ID = /^[0-9a-f]{16}$/
const ZERO = /^0+$/
const NOTHING: B3 = { ids: undefined, isSampled: undefined, isDebug: false }
const STATES: ReadonlyMap<string, Pick<B3, 'isSampled' | 'isDebug'>> = new Map([
  ['0', { isSampled: false, isDebug: false }],
  ['1', { isSampled: true, isDebug: false }],
  ['d', { isSampled: true, isDebug: true }],
])
const WORDS: ReadonlyMap<string, boolean> = new Map([
  ['1', true],
  ['true', true],
  ['0', false],
  ['false', false],
])

/** Reads `b3`, or else the `X-B3-*` headers. `invalid` for a `b3` that says nothing that can be understood. */
export function readB3(headers: Headers): B3 | 'invalid' {
  const single = headers.get('b3')
  return single === undefined ? readMany(headers) : readSingle(single)
}

/** Writes the `X-B3-*` headers, and `b3` too where the client sent it: else it would still name the client's span. */
export function writeB3(headers: Headers, span: B3Span): void {
  const { traceId, proxySpanId, requestSpanId, isDebug } = span
  headers.set('X-B3-TraceId', traceId)
  headers.set('X-B3-SpanId', proxySpanId)
  headers.set('X-B3-ParentSpanId', requestSpanId)
  headers.set('X-B3-Sampled', '1')
  if (isDebug) headers.set('X-B3-Flags', '1')
  if (headers.has('b3'))
    headers.set('b3', `${traceId}-${proxySpanId}-${isDebug ? 'd' : '1'}-${requestSpanId}`)
}

/** Tells the upstream that nothing is sampled; the trace that the client named stays as it is. */
export function writeUnsampled(headers: Headers, { ids }: B3): void {
  headers.set('X-B3-Sampled', '0')
  headers.remove('x-b3-flags')
  if (headers.has('b3')) headers.set('b3', ids ? `${ids.traceId}-${ids.spanId}-0` : '0')
}

/** `{trace}-{span}[-{state}[-{parent}]]`, or a state alone. */
function readSingle(text: string): B3 | 'invalid' {
  const alone = STATES.get(text)
  if (alone) return { ids: undefined, ...alone }
  const [traceId = '', spanId = '', state, parentSpanId, ...rest] = text.toLowerCase().split('-')
  const ids = idsOf(traceId, spanId)
  const isParentFine = parentSpanId === undefined || SPAN_ID.test(parentSpanId)
  if (!ids || !isParentFine || rest.length > 0) return 'invalid'
  if (state === undefined) return { ...NOTHING, ids }
  const known = STATES.get(state)
  return known ? { ids, ...known } : 'invalid'
}

function readMany(headers: Headers): B3 {
  const ids = idsOf(
    headers.get('x-b3-traceid')?.toLowerCase() ?? '',
    headers.get('x-b3-spanid')?.toLowerCase() ?? '',
  )
  if (headers.get('x-b3-flags') === '1') return { ids, isSampled: true, isDebug: true }
  const isSampled = WORDS.get(headers.get('x-b3-sampled')?.toLowerCase() ?? '')
  return { ids, isSampled, isDebug: false }
}

/** `undefined` for ids that are none: the request then begins a trace of its own. */
function idsOf(traceId: string, spanId: string): B3['ids'] {
  const isFine = TRACE_ID.test(traceId) && SPAN_ID.test(spanId) && !ZERO.test(traceId) && !ZERO.test(spanId)
  return isFine ? { traceId, spanId } : undefined
}
