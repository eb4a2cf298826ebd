import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { LeaseLostError } from '../store/config-store.ts'
import type { LeasedItem } from '../store/transactions.ts'
import {
  asNode,
  busy,
  type DeskParts,
  findNode,
  MOST_TRIES,
  type StoredNode,
  shown,
  whileReachable,
} from './desk.ts'
import { checkNodeId, nodeNotFound } from './node-desk.ts'
import { parseAgent } from './parse-record.ts'
import { AGENT_WORD, type AgentRecord, agentId, isWord } from './records.ts'
import { RegistryError } from './registry-error.ts'

/** What an agent says of itself when it registers; checked by its schema. */
export type AgentClaim = Omit<AgentRecord, 'type' | 'key' | 'registered_at'>

export interface AgentRegistration {
  readonly isNew: boolean
  readonly record: AgentRecord
  readonly node: StoredNode
  readonly createRevision: number
  readonly modRevision: number
}

interface Attempt {
  readonly record: AgentRecord
  readonly node: StoredNode
  readonly mayTakeOver: boolean
}

/** Registers and removes agents. */
export class AgentDesk {
  readonly #parts: DeskParts

  constructor(parts: DeskParts) {
    this.#parts = parts
  }

  /**
   * One transaction claims the id for a node that lives (systems.md §7.3). The same claim again writes nothing. `mayTakeOver`: from
   * another node of the same `metadata.instance_group`. A `key` that is absent is made.
   */
  async register(
    { type, key = randomUUID() }: { readonly type: string; readonly key?: string | undefined },
    claim: AgentClaim,
    mayTakeOver: boolean,
  ): Promise<AgentRegistration> {
    checkAgentId(type, key)
    checkNodeId(claim.node_id)
    const registered_at = Math.floor(this.#parts.now() / 1000)
    const record: AgentRecord = JSON.parse(JSON.stringify({ type, key, ...claim, registered_at }))
    const registered = await whileReachable(() => this.#register(record, mayTakeOver))
    await shown(this.#parts.view, registered.modRevision)
    return registered
  }

  async #register(record: AgentRecord, mayTakeOver: boolean): Promise<AgentRegistration> {
    let node = await findNode(this.#parts, record.node_id)
    let expected: LeasedItem | undefined
    for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
      if (!node) throw nodeNotFound(record.node_id, 412)
      const { result, put } = await this.#claim({ record, node, mayTakeOver }, expected)
      if (result === undefined || result.isDone) {
        if (result === undefined) node = await this.#readNode(record.node_id)
        else {
          const createRevision = expected?.createRevision ?? result.revision
          return { isNew: put.isNew, record: put.record, node, createRevision, modRevision: result.revision }
        }
        continue
      }
      const [present, presentNode] = result.present
      node = presentNode && asNode(record.node_id, presentNode)
      if (!node) throw nodeNotFound(record.node_id, 412)
      expected = present
      const same = present && this.#unchanged({ record, node, mayTakeOver }, present)
      if (same) return same
    }
    throw busy(`agent "${agentId(record)}"`)
  }

  /** Tries to put the record where `expected` stands; the result is `undefined` when the node's lease has ended. */
  async #claim({ record, node }: Attempt, expected: LeasedItem | undefined) {
    const { store, view } = this.#parts
    const before = expected && parseAgent(agentId(record), expected.value)
    const isMine = before?.node_id === record.node_id
    const kept = isMine ? { ...record, registered_at: before.registered_at } : record
    const key = view.keys.agent(record.type, record.key)
    const leaseId = node.record.lease_id
    try {
      const result = await store.transact({
        conditions: [
          { key, modRevision: expected?.modRevision ?? 0 },
          { key: view.keys.node(record.node_id), leaseId },
        ],
        puts: [{ key, value: JSON.stringify(kept), leaseId }],
      })
      return { result, put: { record: kept, isNew: !isMine } }
    } catch (error) {
      if (!(error instanceof LeaseLostError)) throw error
      return { result: undefined, put: { record: kept, isNew: false } }
    }
  }

  /** The registration as it stands when it is the claimed one; throws when it is another node's; `undefined` when it has to change. */
  #unchanged({ record, node, mayTakeOver }: Attempt, present: LeasedItem): AgentRegistration | undefined {
    const before = parseAgent(agentId(record), present.value)
    // What cannot be read is nobody's.
    if (!before) return undefined
    if (before.node_id !== record.node_id) {
      if (mayTakeOver && isSameGroup(before, record)) return undefined
      this.#parts.count.conflict('agent')
      throw new RegistryError(
        'AGENT_ID_CONFLICT',
        `agent "${agentId(record)}" belongs to node "${before.node_id}"; use another key or wait until that node's lease ends`,
        { details: { node_id: before.node_id } },
      )
    }
    const isSame =
      present.leaseId === node.record.lease_id &&
      isDeepStrictEqual({ ...record, registered_at: before.registered_at }, before)
    const { createRevision, modRevision } = present
    return isSame ? { isNew: false, record: before, node, createRevision, modRevision } : undefined
  }

  async #readNode(id: string): Promise<StoredNode | undefined> {
    const item = await this.#parts.store.get(this.#parts.view.keys.node(id))
    return item && asNode(id, item)
  }

  /** Removing what is not there is no error; what belongs to another node than `nodeId` stays. */
  async remove(type: string, key: string, nodeId: string | undefined): Promise<void> {
    checkAgentId(type, key)
    const { store, view, count } = this.#parts
    const storeKey = view.keys.agent(type, key)
    await whileReachable(async () => {
      for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
        const item = await store.get(storeKey)
        if (!item) return
        const owner = parseAgent(`${type}/${key}`, item.value)?.node_id
        if (nodeId !== undefined && owner !== undefined && owner !== nodeId) {
          count.conflict('agent')
          throw new RegistryError('AGENT_ID_CONFLICT', `agent "${type}/${key}" belongs to node "${owner}"`, {
            details: { node_id: owner },
          })
        }
        const result = await store.transact({
          conditions: [{ key: storeKey, modRevision: item.modRevision }],
          deletes: [storeKey],
        })
        if (result.isDone) return shown(view, result.revision)
      }
      throw busy(`agent "${type}/${key}"`)
    })
  }
}

function isSameGroup(one: AgentRecord, other: AgentRecord): boolean {
  const group = one.metadata.instance_group
  return typeof group === 'string' && group === other.metadata.instance_group
}

export function checkAgentId(type: string, key: string): void {
  for (const [name, text] of Object.entries({ type, key })) {
    if (isWord(text, AGENT_WORD)) continue
    throw new RegistryError(
      'INVALID_AGENT_ID',
      `${name} ${JSON.stringify(text.slice(0, 80))} is none; use 1–64 letters, digits, ".", "_" and "-"`,
    )
  }
}
