import type { IRangeRequest, IRangeResponse } from 'etcd3'
import type { Listing, StoredItem } from '../config-store.ts'
import { keyAfter, rangeOf, toItem } from './etcd-codec.ts'
import { isCompacted, isTooLarge } from './etcd-errors.ts'

/** One page; rejects with an error whose cause is etcd's. */
type ReadRange = (request: IRangeRequest) => Promise<IRangeResponse>

type ClusterListing = Listing & { readonly clusterId: string }

/** Compactions that may get in the way of one list. */
const MAX_RESTARTS = 3

/**
 * Reads everything under `prefix` in pages, all as of the revision of the first one. Begins again when that revision is compacted
 * meanwhile, and halves the pages when one is too large to receive.
 */
export async function listAtOneRevision(
  read: ReadRange,
  prefix: string,
  pageSize: number,
): Promise<ClusterListing> {
  let limit = pageSize
  for (let restarts = 0; ; ) {
    try {
      return await listPages(read, prefix, limit)
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined
      if (isTooLarge(cause) && limit > 1) limit = Math.ceil(limit / 2)
      else if (isCompacted(cause) && restarts < MAX_RESTARTS) restarts++
      else throw error
    }
  }
}

async function listPages(read: ReadRange, prefix: string, limit: number): Promise<ClusterListing> {
  const { key: start, range_end } = rangeOf(prefix)
  const items: StoredItem[] = []
  const first = await read({ key: start, range_end, limit })
  const { revision, cluster_id: clusterId } = first.header
  for (let page = first; ; ) {
    for (const kv of page.kvs) items.push(toItem(kv))
    const last = page.kvs.at(-1)
    if (!page.more || !last) return { items, revision: Number(revision), clusterId }
    page = await read({ key: keyAfter(last.key), range_end, limit, revision })
  }
}
