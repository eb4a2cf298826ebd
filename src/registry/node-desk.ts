import { isDeepStrictEqual } from 'node:util'
import { LeaseLostError } from '../store/config-store.ts'
import {
  asNode,
  busy,
  type DeskParts,
  findNode,
  MOST_TRIES,
  readNode,
  revokeQuietly,
  type StoredNode,
  shown,
  whileReachable,
} from './desk.ts'
import { type DrainRecord, isWord, NODE_ID, type NodeRecord } from './records.ts'
import { RegistryError } from './registry-error.ts'

/** What a node says of itself when it registers; checked by its schema. */
export interface NodeClaim
  extends Pick<NodeRecord, 'endpoint' | 'protocol' | 'zone' | 'version' | 'capacity' | 'labels'> {
  readonly status?: 'initializing' | 'running'
  readonly ttl_s: number
}

/** Fields of a record that become others; those that are `undefined` go. */
export type NodeChange = { readonly [Field in keyof NodeRecord]?: NodeRecord[Field] | undefined }

export interface NodeRegistration extends StoredNode {
  readonly isNew: boolean
}

/** Registers and removes nodes. */
export class NodeDesk {
  readonly #parts: DeskParts

  constructor(parts: DeskParts) {
    this.#parts = parts
  }

  /** The same claim again changes nothing; a changed one of the same endpoint is taken over. */
  async register(id: string, claim: NodeClaim): Promise<NodeRegistration> {
    checkNodeId(id)
    const registered = await whileReachable(() => this.#register(id, claim))
    await shown(this.#parts.view, registered.modRevision)
    return registered
  }

  async #register(id: string, claim: NodeClaim): Promise<NodeRegistration> {
    const { store, view } = this.#parts
    for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
      const item = await store.get(view.keys.node(id))
      const known = item && asNode(id, item)
      // What cannot be read is nobody's.
      const done = known ? await this.#renew(known, claim) : await this.#create(id, claim, item?.modRevision)
      if (done) return done
    }
    throw busy(`node "${id}"`)
  }

  /** `undefined` when it is no longer as it was. */
  async #renew(known: StoredNode, claim: NodeClaim): Promise<NodeRegistration | undefined> {
    const { store, view, count } = this.#parts
    const { record } = known
    const lease = store.openLease(record.lease_id)
    const isOther = record.endpoint !== claim.endpoint
    // Whoever claims the id of another one must not keep that alive.
    const lives = await isAlive(() => (isOther ? lease.remainingSeconds() : lease.keepAlive()))
    // A copy of a store has keys without their leases; where a lease has just ended there is no such key any more.
    if (!lives) return this.#create(record.node_id, claim, known.modRevision)
    if (isOther) {
      count.conflict('node')
      const held = `node "${record.node_id}" is registered with the endpoint "${record.endpoint}"`
      throw new RegistryError('NODE_ID_CONFLICT', `${held}; use another node_id or wait until its lease ends`)
    }
    const changed = { ...record, ...described(claim) }
    if (isDeepStrictEqual(withoutAbsent(changed), record)) return { ...known, isNew: false }
    const key = view.keys.node(record.node_id)
    const leaseId = record.lease_id
    const result = await store.transact({
      conditions: [{ key, modRevision: known.modRevision }],
      puts: [{ key, value: JSON.stringify(changed), leaseId }],
    })
    return result.isDone ? { record: changed, modRevision: result.revision, isNew: false } : undefined
  }

  /** In the place of what was written at `modRevision`, of nothing by default; `undefined` when something else is there. */
  async #create(id: string, claim: NodeClaim, modRevision = 0): Promise<NodeRegistration | undefined> {
    const { store, view, now } = this.#parts
    const lease = await store.grantLease(claim.ttl_s)
    const record: NodeRecord = {
      node_id: id,
      ...described(claim),
      status: claim.status ?? 'initializing',
      registered_at: Math.floor(now() / 1000),
      lease_id: lease.id,
      lease_ttl_s: claim.ttl_s,
    }
    const key = view.keys.node(id)
    const result = await store.transact({
      conditions: [{ key, modRevision }],
      puts: [{ key, value: JSON.stringify(record), leaseId: lease.id }],
    })
    if (result.isDone) return { record, modRevision: result.revision, isNew: true }
    await lease.revoke()
    return undefined
  }

  /**
   * Takes a node out: at once with all of its agents when `drainSeconds` is 0, else it gets nothing new from now on and goes at the
   * deadline, or when it says that it has nothing left. Tells whether it is still there.
   */
  async remove(id: string, drainSeconds: number): Promise<{ readonly isDraining: boolean }> {
    checkNodeId(id)
    return whileReachable(async () => {
      const found = await readNode(this.#parts, id)
      if (!found) throw nodeNotFound(id)
      const revision = await this.#markDraining(found.record, drainSeconds)
      if (drainSeconds > 0) {
        await shown(this.#parts.view, revision)
        return { isDraining: true }
      }
      await this.end(found.record)
      return { isDraining: false }
    })
  }

  /** Ends the node's lease, and with it the node and its agents, at one revision. */
  async end({ node_id, lease_id }: NodeRecord): Promise<void> {
    const { store, view } = this.#parts
    await revokeQuietly(store, lease_id)
    const { revision } = await store.list(`${view.keys.node(node_id)}/`)
    await shown(view, revision)
  }

  async #markDraining({ node_id, lease_id }: NodeRecord, drainSeconds: number): Promise<number> {
    const { store, view, now } = this.#parts
    const since = Math.floor(now() / 1000)
    const drain: DrainRecord = { since, deadline: since + drainSeconds, drain_s: drainSeconds }
    try {
      const result = await store.transact({
        conditions: [{ key: view.keys.node(node_id), leaseId: lease_id }],
        puts: [{ key: view.keys.drain(node_id), value: JSON.stringify(drain), leaseId: lease_id }],
      })
      if (!result.isDone) throw nodeNotFound(node_id)
      return result.revision
    } catch (error) {
      if (error instanceof LeaseLostError) throw nodeNotFound(node_id)
      throw error
    }
  }

  /** Renews the node's lease, whichever gateway granted it; throws when there is no such node any more. */
  async beat(id: string): Promise<StoredNode> {
    checkNodeId(id)
    return whileReachable(async () => {
      const found = await findNode(this.#parts, id)
      const node = found && (await this.#renewed(found))
      if (node) return node
      this.#parts.count.heartbeat('unknown_node')
      throw nodeNotFound(id)
    })
  }

  async #renewed(node: StoredNode): Promise<StoredNode | undefined> {
    const { store } = this.#parts
    const keepAlive = (record: NodeRecord) => isAlive(() => store.openLease(record.lease_id).keepAlive())
    if (await keepAlive(node.record)) return node
    // This gateway may not have heard yet that it registered anew.
    const again = await readNode(this.#parts, node.record.node_id)
    return again && again.record.lease_id !== node.record.lease_id && (await keepAlive(again.record))
      ? again
      : undefined
  }

  /**
   * Writes a change of the record; `undefined` when it was changed by others meanwhile, or is gone. `changeOf` is asked for each state
   * that it is found in, and may find nothing to do.
   */
  async change(
    node: StoredNode,
    changeOf: (record: NodeRecord) => NodeChange | undefined,
  ): Promise<StoredNode | undefined> {
    const { store, view } = this.#parts
    const key = view.keys.node(node.record.node_id)
    let from = node
    for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
      const change = changeOf(from.record)
      if (!change) return undefined
      const record = withoutAbsent({ ...from.record, ...change }) as NodeRecord
      const result = await store.transact({
        conditions: [{ key, modRevision: from.modRevision }],
        puts: [{ key, value: JSON.stringify(record), leaseId: from.record.lease_id }],
      })
      if (result.isDone) return { record, modRevision: result.revision }
      const present = result.present[0] && asNode(from.record.node_id, result.present[0])
      if (!present) return undefined
      from = present
    }
    return undefined
  }
}

function described({ status: _status, ttl_s: _ttl, ...described }: NodeClaim) {
  return described
}

/** The object as it comes back from JSON. */
function withoutAbsent<T extends object>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}

/** Whether the lease that is asked lives. */
async function isAlive(ask: () => Promise<unknown>): Promise<boolean> {
  try {
    await ask()
    return true
  } catch (error) {
    if (error instanceof LeaseLostError) return false
    throw error
  }
}

export function checkNodeId(id: string): void {
  if (isWord(id, NODE_ID)) return
  throw new RegistryError(
    'VALIDATION_FAILED',
    `node_id ${JSON.stringify(id.slice(0, 140))} is none; use 1–128 letters, digits, ".", "_" and "-"`,
  )
}

export function nodeNotFound(id: string, status = 404): RegistryError {
  return new RegistryError('NODE_NOT_FOUND', `node "${id}" is not registered; register it (again)`, {
    status,
  })
}
