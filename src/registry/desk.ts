import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import { LeaseLostError, StoreUnavailableError } from '../store/config-store.ts'
import type { LeasedItem, TransactionalStore } from '../store/transactions.ts'
import { parseNode } from './parse-record.ts'
import type { NodeRecord } from './records.ts'
import { RegistryError } from './registry-error.ts'
import type { RegistryView } from './view.ts'

/** What the writing side of the registry works with. */
export interface DeskParts {
  readonly store: TransactionalStore
  readonly view: RegistryView
  readonly clock: Clock
  /** Wall clock, ms. */
  readonly now: () => number
  readonly logger: Logger
  readonly count: {
    /** A claim of an id that somebody else has. */
    conflict(kind: 'node' | 'agent'): void
    heartbeat(outcome: 'ok' | 'unknown_node' | 'invalid'): void
  }
}

/** A node as it stands in the store. */
export interface StoredNode {
  readonly record: NodeRecord
  readonly modRevision: number
}

/** Times that a write is tried when others write the same at the same moment. */
export const MOST_TRIES = 5

/** How long an answer waits for this gateway's own view to show what was written. */
const OWN_VIEW_MS = 1000

/** The node, from memory when it is known here, else as the store has it: another gateway may have registered it a moment ago. */
export async function findNode({ view, store }: DeskParts, id: string): Promise<StoredNode | undefined> {
  const known = view.node(id)
  if (known) return { record: known.record, modRevision: known.modRevision }
  return readNode({ view, store }, id)
}

/** The node as the store has it. */
export async function readNode(
  { view, store }: Pick<DeskParts, 'view' | 'store'>,
  id: string,
): Promise<StoredNode | undefined> {
  const item = await store.get(view.keys.node(id))
  return item && asNode(id, item)
}

export function asNode(id: string, item: Pick<LeasedItem, 'value' | 'modRevision'>): StoredNode | undefined {
  const record = parseNode(id, item.value)
  return record && { record, modRevision: item.modRevision }
}

/** Who asks here next sees what was written. */
export async function shown(view: RegistryView, revision: number): Promise<void> {
  await view.reaches(revision, OWN_VIEW_MS)
}

/** How often a node of that lease shall be heard of. */
export function intervalMs(record: Pick<NodeRecord, 'lease_ttl_s'>): number {
  return Math.round((record.lease_ttl_s * 1000) / 3)
}

/** Runs a write; a store that cannot be reached becomes the registry's own 503. */
export async function whileReachable<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error
    throw new RegistryError(
      'REGISTRY_UNAVAILABLE',
      'the store of the registry cannot be reached; nothing is lost, try again',
    )
  }
}

/** Ends a lease that has ended already without a word. */
export async function revokeQuietly(store: TransactionalStore, leaseId: string): Promise<void> {
  try {
    await store.openLease(leaseId).revoke()
  } catch (error) {
    if (!(error instanceof LeaseLostError)) throw error
  }
}

export function busy(what: string): RegistryError {
  return new RegistryError(
    'REGISTRY_UNAVAILABLE',
    `${what} is being changed by others at the same time; try again`,
  )
}
