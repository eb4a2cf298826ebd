import type { FloodKind } from './flood-guard.ts'

/** Why an HTTP/2 connection was ended by this side: a word of a fixed set, for log and metric. */
export type CutReason =
  | FloodKind
  | 'continuation'
  | 'invalid-frames'
  | 'unanswered'
  | 'memory'
  | 'protocol-error'

/** By the numbers that nghttp2 gives its errors. */
const REASONS: ReadonlyMap<number, CutReason> = new Map([
  [-505, 'protocol-error'],
  [-901, 'memory'],
  /** Too many empty or invalid frames, or streams beyond what was allowed: Node's own limits. */
  [-902, 'invalid-frames'],
  [-903, 'protocol-error'],
  [-904, 'unanswered'],
  [-905, 'continuation'],
])

/** The reason that an error of a session tells of; undefined when it is the connection that failed. */
export function cutReasonOf(
  error: Error & { readonly code?: string; readonly errno?: number },
): CutReason | undefined {
  if (!error.code?.startsWith('ERR_HTTP2_')) return undefined
  return REASONS.get(error.errno ?? 0) ?? 'protocol-error'
}
