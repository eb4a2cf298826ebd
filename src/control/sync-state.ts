import type { Kind } from '../model/kind.ts'

/** A resource whose newest stored version cannot be used. */
export interface QuarantinedResource {
  readonly kind: Kind
  readonly id: string
  readonly reason: string
  /** ISO 8601: when the first version that could not be used became known. */
  readonly since: string
  /** Of the version that cannot be used. */
  readonly revision: number
  /** Whether an earlier version serves in its place. */
  readonly older_version_serves: boolean
}

/** The connection to the configuration store. */
export interface StoreState {
  /** memory, embedded, etcd, file */
  readonly name: string
  /** Whether it answered last time. */
  readonly reachable: boolean
  /** Whether changes arrive as they happen. */
  readonly watching: boolean
  /** ISO 8601: since when `watching` is as it is. */
  readonly since: string
  /** Time since the last sign of life; a quiet store of this very process gives few. */
  readonly silent_ms: number
  /** The last failure, kept after recovery. */
  readonly last_error?: { readonly message: string; readonly at: string }
  /** The last time the store went back in time: restored or emptied. */
  readonly rolled_back?: { readonly from_revision: number; readonly to_revision: number; readonly at: string }
}

/** What serves was found on disk, because the store has not answered since the start. */
export interface FromDiskState {
  readonly revision: number
  /** ISO 8601. */
  readonly saved_at: string
  readonly age_ms: number
  /** Which of the two files. */
  readonly generation: 'current' | 'previous'
}

/** The store went back in time and is not followed, because most routes would vanish. */
export interface HeldState {
  /** Of the store. */
  readonly revision: number
  /** ISO 8601. */
  readonly since: string
  /** Routes that serve, and those of them that the store does not hold any more. */
  readonly routes: number
  readonly vanishing: number
}

/** How far configuration has come, from the store to the requests. */
export interface SyncState {
  /** Latest revision that the store has told of. */
  readonly observed_revision: number
  /** Revision that requests are served with. */
  readonly published_revision: number
  /** Revision that is being compiled; absent when nothing is pending. */
  readonly pending_revision?: number
  /** How long there has been something newer than what is served; 0 when there is not. */
  readonly lag_ms: number
  /** ISO 8601; absent before the first publish. */
  readonly published_at?: string
  /** Absent before the store is open. */
  readonly store?: StoreState
  readonly from_disk?: FromDiskState
  readonly held?: HeldState
  readonly quarantined: readonly QuarantinedResource[]
  /** Upstreams for which names or registries gave no nodes; absent when there are none. */
  readonly without_nodes?: readonly { readonly upstream: string; readonly reason: string }[]
}
