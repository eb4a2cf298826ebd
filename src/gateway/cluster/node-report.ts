import type { Kind } from '../../model/kind.ts'

/** A resource whose newest stored version a node cannot use. */
export interface RefusedResource {
  readonly kind: Kind
  readonly id: string
  readonly reason: string
  readonly revision: number
}

/** What a node says of itself in the store. */
export interface NodeReport {
  /** Of the process; the `id` of its `/v1/server_info`. */
  readonly id: string
  readonly hostname: string
  readonly version: string
  readonly role: string
  /** Worker processes that serve; 1 where one process does everything. */
  readonly workers: number
  /** Unix time in ms. */
  readonly started_at_ms: number
  readonly reported_at_ms: number
  /** The revision that all its requests meet. */
  readonly applied_revision: number
  /** The newest revision it knows of. */
  readonly observed_revision: number
  /** At most {@link MAX_REFUSED} of them. */
  readonly quarantined: readonly RefusedResource[]
  readonly quarantined_total: number
}

export const MAX_REFUSED = 50

/** Reads a report of another version of this program, too; `undefined` when it is none. */
export function readReport(text: string): NodeReport | undefined {
  let value: Partial<NodeReport> | null
  try {
    value = JSON.parse(text) as Partial<NodeReport> | null
  } catch {
    return undefined
  }
  if (typeof value?.id !== 'string' || typeof value.applied_revision !== 'number') return undefined
  return {
    id: value.id,
    hostname: value.hostname ?? '',
    version: value.version ?? '',
    role: value.role ?? 'traditional',
    workers: value.workers ?? 1,
    started_at_ms: value.started_at_ms ?? 0,
    reported_at_ms: value.reported_at_ms ?? 0,
    applied_revision: value.applied_revision,
    observed_revision: value.observed_revision ?? value.applied_revision,
    quarantined: value.quarantined ?? [],
    quarantined_total: value.quarantined_total ?? 0,
  }
}
