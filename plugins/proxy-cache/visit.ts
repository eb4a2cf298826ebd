import type { Readable } from 'node:stream'
import type { Recording, StoredHead } from '../_shared/cache/cache-store.ts'
import type { Flight } from './flights.ts'
import type { RequestAddress } from './key.ts'
import type { CacheStatus, RequestVerdict } from './rules.ts'

/** What the cache has to do with one request. */
export interface Visit {
  /** The instance whose visit it is: of several in one request the first one decides. */
  readonly owner: object
  readonly verdict: RequestVerdict
  status: CacheStatus
  address: RequestAddress | undefined
  /** What it was answered with. */
  used: StoredHead | undefined
  body: Readable | undefined
  /** Others wait for this request's answer. */
  flight: Flight | undefined
  /** It has waited for another one, and does so once. */
  hasWaited: boolean
  recording: Recording | undefined
  isOver: boolean
}

export function newVisit(owner: object, verdict: RequestVerdict): Visit {
  return {
    owner,
    verdict,
    status: verdict.status,
    address: undefined,
    used: undefined,
    body: undefined,
    flight: undefined,
    hasWaited: false,
    recording: undefined,
    isOver: false,
  }
}
