import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { StoredNode } from './desk.ts'
import { statusOf } from './entries.ts'
import type { NodeChange, NodeDesk } from './node-desk.ts'
import type { NodeRecord } from './records.ts'
import type { RegistryView } from './view.ts'

/** What could not be written is written after that. */
const AGAIN_MS = 5000

export interface FailingNodesParts {
  readonly view: RegistryView
  readonly desk: Pick<NodeDesk, 'change'>
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Registered nodes that the health checks of this gateway's upstreams find failing. Such a node is degraded for everybody until the
 * checks that found it pass again (systems.md §7.4).
 */
export class FailingNodes {
  readonly #parts: FailingNodesParts
  readonly #bySource = new Map<string, ReadonlySet<string>>()
  /** How many sources find a node failing. */
  readonly #counts = new Map<string, number>()
  readonly #retries = new Map<string, () => void>()

  constructor(parts: FailingNodesParts) {
    this.#parts = parts
  }

  /** `source` is one address of one upstream, `agents` those that are reached there when it fails: none when it is well, or gone. */
  found(source: string, agents: readonly string[]): void {
    const before = this.#bySource.get(source) ?? NOBODY
    const after = this.#nodesOf(agents)
    if (after.size > 0) this.#bySource.set(source, after)
    else this.#bySource.delete(source)
    for (const node of after) if (!before.has(node)) this.#count(node, 1)
    for (const node of before) if (!after.has(node)) this.#count(node, -1)
  }

  isFailing(nodeId: string): boolean {
    return this.#counts.has(nodeId)
  }

  close(): void {
    for (const cancel of this.#retries.values()) cancel()
    this.#retries.clear()
    this.#bySource.clear()
    this.#counts.clear()
  }

  #nodesOf(agents: readonly string[]): ReadonlySet<string> {
    const nodes = agents.map((id) => this.#parts.view.agent(id)?.record.node_id)
    return new Set(nodes.filter((id) => id !== undefined))
  }

  #count(nodeId: string, by: 1 | -1): void {
    const before = this.#counts.get(nodeId) ?? 0
    const after = before + by
    if (after > 0) this.#counts.set(nodeId, after)
    else this.#counts.delete(nodeId)
    if (before === 0 || after === 0) void this.#write(nodeId)
  }

  async #write(nodeId: string): Promise<void> {
    const { view, desk, clock, logger } = this.#parts
    this.#retries.get(nodeId)?.()
    this.#retries.delete(nodeId)
    const node = view.node(nodeId)
    if (!node || !this.#changeOf({ ...node.record, status: statusOf(node) })) return
    try {
      let stored: StoredNode | undefined = { record: node.record, modRevision: node.modRevision }
      // The checks may have found something else while it was written.
      while (stored) stored = await desk.change(stored, (record) => this.#changeOf(record))
    } catch (error) {
      logger.debug(
        { err: error, node: nodeId },
        'the health of a registered node was not written; trying again',
      )
      this.#retries.set(
        nodeId,
        clock.schedule(AGAIN_MS, () => void this.#write(nodeId)),
      )
    }
  }

  /** A node that says of itself how it is, or that others have degraded, stays as it is. */
  #changeOf({ node_id, status, degraded_by }: NodeRecord): NodeChange | undefined {
    if (this.isFailing(node_id)) {
      return status === 'running' ? { status: 'degraded', degraded_by: 'health_check' } : undefined
    }
    const isOurs = status === 'degraded' && degraded_by === 'health_check'
    return isOurs ? { status: 'running', degraded_by: undefined } : undefined
  }
}

const NOBODY: ReadonlySet<string> = new Set()
