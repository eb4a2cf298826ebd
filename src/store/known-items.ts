import type { Listing, StoredItem, StoreEvent } from './config-store.ts'

/** What tells one version of an item from another, even after the store was emptied and filled anew with the same revisions. */
interface Version {
  readonly createRevision: number
  readonly modRevision: number
  readonly fingerprint: number
}

/** Which version of each key was delivered, so that a new listing can be told as events. Holds no values. */
export class KnownItems {
  readonly #versions = new Map<string, Version>()

  load(listing: Listing): void {
    this.#versions.clear()
    for (const item of listing.items) this.#versions.set(item.key, versionOf(item))
  }

  apply(events: readonly StoreEvent[]): void {
    for (const event of events) {
      if (event.type === 'put') this.#versions.set(event.item.key, versionOf(event.item))
      else this.#versions.delete(event.key)
    }
  }

  /** What the listing shows otherwise: the revision of the version that is known of it, by key, 0 for none. */
  differences(listing: Listing): ReadonlyMap<string, number> {
    const differing = new Map<string, number>()
    const listed = new Set<string>()
    for (const item of listing.items) {
      listed.add(item.key)
      const known = this.#versions.get(item.key)
      if (!isSame(known, versionOf(item))) differing.set(item.key, known?.modRevision ?? 0)
    }
    for (const [key, { modRevision }] of this.#versions) if (!listed.has(key)) differing.set(key, modRevision)
    return differing
  }

  /**
   * The events that lead from what is known to the listing: puts in the listing's order, then deletes (of the listing's revision)
   * for what is gone, so that something that moved is added before it is removed.
   */
  eventsTo(listing: Listing): StoreEvent[] {
    const events: StoreEvent[] = []
    const listed = new Set<string>()
    for (const item of listing.items) {
      listed.add(item.key)
      if (!isSame(this.#versions.get(item.key), versionOf(item))) events.push({ type: 'put', item })
    }
    for (const key of this.#versions.keys()) {
      if (!listed.has(key)) events.push({ type: 'delete', key, modRevision: listing.revision })
    }
    return events
  }
}

function versionOf({ createRevision, modRevision, value }: StoredItem): Version {
  return { createRevision, modRevision, fingerprint: fingerprintOf(value) }
}

function isSame(known: Version | undefined, other: Version): boolean {
  return (
    known !== undefined &&
    known.modRevision === other.modRevision &&
    known.createRevision === other.createRevision &&
    known.fingerprint === other.fingerprint
  )
}

/** FNV-1a over the code units: only ever compared for items of equal revisions. */
function fingerprintOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
