import type { StoreState, SyncState } from '../control/sync-state.ts'
import type { Publisher } from '../snapshot/publisher.ts'
import type { FollowStatus } from '../store/follow.ts'
import type { NodeFeeds } from '../upstream/node-feeds.ts'
import type { LastGoodStatus } from './last-good.ts'

export interface SyncParts {
  readonly publisher: Pick<Publisher, 'status'>
  readonly feeds: Pick<NodeFeeds, 'empty'>
  /** The store and the watch on it, absent before they are there. */
  store(): { readonly name: string; readonly follow: FollowStatus } | undefined
  /** Absent where nothing is saved. */
  readonly lastGood?: () => LastGoodStatus
  /** Wall clock in ms. */
  readonly now: () => number
}

/** What `/v1/sync` shows at this moment. */
export function readSync({ publisher, feeds, store, lastGood, now }: SyncParts): SyncState {
  const { observed, published, pending, quarantined, behindSinceMs, lastPublishedAtMs } = publisher.status
  const atMs = now()
  const opened = store()
  const withoutNodes = [...feeds.empty()]
  return {
    observed_revision: observed,
    published_revision: published,
    ...(pending !== undefined && { pending_revision: pending }),
    lag_ms: behindSinceMs === undefined ? 0 : Math.max(0, atMs - behindSinceMs),
    ...(lastPublishedAtMs !== undefined && { published_at: isoTime(lastPublishedAtMs) }),
    ...(opened && { store: storeState(opened.name, opened.follow, atMs) }),
    ...(lastGood && lastGoodState(lastGood(), atMs)),
    quarantined: quarantined.map(({ kind, id, reason, sinceMs, modRevision, isServing }) => ({
      kind,
      id,
      reason,
      since: isoTime(sinceMs),
      revision: modRevision,
      older_version_serves: isServing,
    })),
    ...(withoutNodes.length > 0 && { without_nodes: withoutNodes }),
  }
}

function storeState(name: string, follow: FollowStatus, atMs: number): StoreState {
  const { isReachable, isConnected, sinceMs, lastHeardMs, lastError, rolledBack } = follow
  return {
    name,
    reachable: isReachable,
    watching: isConnected,
    since: isoTime(sinceMs),
    silent_ms: Math.max(0, atMs - (lastHeardMs ?? sinceMs)),
    ...(lastError && { last_error: { message: lastError.message, at: isoTime(lastError.atMs) } }),
    ...(rolledBack && {
      rolled_back: {
        from_revision: rolledBack.fromRevision,
        to_revision: rolledBack.toRevision,
        at: isoTime(rolledBack.atMs),
      },
    }),
  }
}

function lastGoodState(
  { fromDisk, held }: LastGoodStatus,
  atMs: number,
): Pick<SyncState, 'from_disk' | 'held'> {
  return {
    ...(fromDisk && {
      from_disk: {
        revision: fromDisk.revision,
        saved_at: isoTime(fromDisk.savedAtMs),
        age_ms: Math.max(0, atMs - fromDisk.savedAtMs),
        generation: fromDisk.generation,
      },
    }),
    ...(held && {
      held: {
        revision: held.revision,
        since: isoTime(held.sinceMs),
        routes: held.routes,
        vanishing: held.vanishing,
      },
    }),
  }
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
