import type { FailureKind, TransportError } from '../upstream/transport.ts'

/** How a request fails. */
export interface Outcome {
  /** The client's status when no further attempt follows, and the attempt's own in `X-APISIX-Upstream-Status`. */
  readonly status: number
  /** Stable word for logs and metrics. */
  readonly code: string
}

/** What becomes of a failed attempt. */
export interface Verdict extends Outcome {
  /**
   * `fresh-connection`: once more to the same node, it only closed an idle connection. `next-node`: to another one, as far as
   * retries go. `never`: the request may have had its effect.
   */
  readonly retry: 'never' | 'next-node' | 'fresh-connection'
}

/** Contract §5.1: a refused connection counts as 502, a timeout as 504. */
const OUTCOMES: Readonly<Record<FailureKind, Outcome>> = {
  connect: { status: 502, code: 'upstream_connect_failed' },
  'connect-timeout': { status: 504, code: 'upstream_connect_timeout' },
  'queue-full': { status: 503, code: 'upstream_queue_full' },
  'send-timeout': { status: 504, code: 'upstream_send_timeout' },
  'read-timeout': { status: 504, code: 'upstream_read_timeout' },
  reset: { status: 502, code: 'upstream_reset' },
  protocol: { status: 502, code: 'upstream_protocol_error' },
}

/** Not sent twice once a byte of them may have arrived (contract §5.4). */
const NOT_REPEATABLE: ReadonlySet<string> = new Set(['POST', 'LOCK', 'PATCH'])

/** nginx's `proxy_next_upstream error timeout` leaves out an answer that makes no sense: the node did read the request. */
const NOT_RETRIED: ReadonlySet<FailureKind> = new Set<FailureKind>(['protocol', 'queue-full'])

/** Judges a failed attempt of a request of which nothing has been answered. `canReplayBody`: its body can be sent once more. */
export function judge(error: TransportError, method: string, canReplayBody: boolean): Verdict {
  const outcome = OUTCOMES[error.kind]
  const mayRepeat = canReplayBody && (error.isUnsent || !NOT_REPEATABLE.has(method))
  if (!mayRepeat || NOT_RETRIED.has(error.kind)) return { ...outcome, retry: 'never' }
  return { ...outcome, retry: error.isStaleConnection ? 'fresh-connection' : 'next-node' }
}
