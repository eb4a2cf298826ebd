import type { Headers } from '../../../src/plugin/api.ts'

/** Where a request stands in a trace, by `traceparent` (W3C Trace Context). */
export interface TraceParent {
  /** 32 hexadecimal digits in lower case. */
  readonly traceId: string
  /** 16 hexadecimal digits in lower case. */
  readonly spanId: string
  readonly isSampled: boolean
}

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const ZERO = /^0+$/
const SAMPLED = 1

/** `undefined` when there is none, or none that a reader may believe: malformed, all zero, of version ff, or given twice. */
export function readTraceparent(headers: Headers): TraceParent | undefined {
  const [text, ...others] = headers.all('traceparent')
  if (text === undefined || others.length > 0) return undefined
  const match = FORM.exec(text)
  if (!match) return undefined
  const [, version, traceId = '', spanId = '', flags = '', rest] = match
  // What later versions append is theirs; version 00 ends after the flags.
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined
  if (ZERO.test(traceId) || ZERO.test(spanId)) return undefined
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 }
}

/** The header's value, in version 00. */
export function traceparentOf({ traceId, spanId, isSampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`
}
