import { LeaseLostError } from '../store/config-store.ts'
import { type DeskParts, intervalMs, type StoredNode, whileReachable } from './desk.ts'
import { dynamicWeight } from './dynamic-weight.ts'
import { statusOf } from './entries.ts'
import type { FailingNodes } from './failing-nodes.ts'
import type { NodeChange, NodeDesk } from './node-desk.ts'
import type { Load, NodeRecord } from './records.ts'
import { RequestWindow } from './request-window.ts'

/** What a heartbeat says; checked by its schema. */
export interface Beat {
  readonly status?: NodeRecord['status']
  readonly metrics?: {
    readonly cpu_usage?: number
    readonly memory_usage?: number
    readonly messages_processed?: number
    readonly messages_failed?: number
    readonly average_processing_time?: number
    readonly active_connections?: number
  }
  /** Ids of the agents that the node runs; absent when it does not say. */
  readonly agents?: readonly string[]
}

export interface BeatAnswer {
  readonly lease_ttl_s: number
  readonly status: string
  /** Listed, and not registered. */
  readonly unknown_agents: readonly string[]
  /** Registered, and not listed. */
  readonly missing_agents: readonly string[]
}

/** A node that was not heard of for this many intervals has missed a beat. */
const MISSED_AFTER = 1.5
/** A coarse copy of the load is written when the weight that it makes is another by this part, and not more often than that. */
const COPY_CHANGE = 0.1
const COPY_EVERY_MS = 10_000
/** Error rate from which a node counts as degraded. */
const DEGRADED_ERROR_RATE = 0.5

interface Watched {
  readonly window: RequestWindow
  cancel: () => void
  copiedAtMs: number
}

/** Hears nodes: renews their leases, keeps what they say of their load, and notices when one is late (systems.md §7.2 to §7.4). */
export class Heartbeats {
  readonly #parts: DeskParts
  readonly #desk: NodeDesk
  readonly #failing: Pick<FailingNodes, 'isFailing'>
  /** Nodes that were heard here and live. */
  readonly #watched = new Map<string, Watched>()

  constructor(parts: DeskParts, desk: NodeDesk, failing: Pick<FailingNodes, 'isFailing'>) {
    this.#parts = parts
    this.#desk = desk
    this.#failing = failing
  }

  /** Throws when the node is not registered: it shall register again. */
  async beat(id: string, beat: Beat): Promise<BeatAnswer> {
    const { view, clock, count } = this.#parts
    const stored = await this.#desk.beat(id)
    const watched = this.#watch(id, stored.record)
    const load = watched.window.load(beat.metrics)
    const node = view.node(id)
    if (node) {
      node.lastBeatMs = this.#parts.now()
      if (load) node.load = load
      node.activeConnections = beat.metrics?.active_connections ?? node.activeConnections
    }
    const change = this.#changeOf(stored, { beat, load, watched })
    const changed = change && (await whileReachable(() => this.#desk.change(stored, () => change)))
    if (changed && change?.load) watched.copiedAtMs = clock.nowMs()
    count.heartbeat('ok')
    const isDone = node?.drain !== undefined && beat.metrics?.active_connections === 0
    if (isDone) await whileReachable(() => this.#desk.end(stored.record))
    return {
      lease_ttl_s: stored.record.lease_ttl_s,
      status: node?.drain ? 'draining' : (changed ?? stored).record.status,
      ...this.#reconcile(id, beat.agents),
    }
  }

  /** No timer is left. */
  close(): void {
    for (const { cancel } of this.#watched.values()) cancel()
    this.#watched.clear()
  }

  #changeOf(
    { record }: StoredNode,
    { beat, load, watched }: { beat: Beat; load: Load | undefined; watched: Watched },
  ): NodeChange | undefined {
    const isFailing = load !== undefined && load.error_rate >= DEGRADED_ERROR_RATE
    const reason = isFailing ? ('error_rate' as const) : this.#heldDown(record)
    const said = beat.status ?? (record.degraded_by ? 'running' : record.status)
    const status = said === 'running' && reason ? 'degraded' : said
    if (status !== record.status) {
      const degraded_by = status === 'degraded' ? reason : undefined
      return { status, degraded_by, ...(load && { load }) }
    }
    return load && this.#isCopyDue(watched, record, load) ? { load } : undefined
  }

  /** What a gateway's checks found is lifted by what they find, or by a gateway that does not find it: the one that did may be gone. */
  #heldDown({ node_id, degraded_by }: NodeRecord): 'health_check' | undefined {
    return degraded_by === 'health_check' && this.#failing.isFailing(node_id) ? degraded_by : undefined
  }

  #isCopyDue({ copiedAtMs }: Watched, record: NodeRecord, load: Load): boolean {
    if (this.#parts.clock.nowMs() - copiedAtMs < COPY_EVERY_MS) return false
    // In thousandths, so that the least weight does not hide a change.
    const before = dynamicWeight(1000, record.load)
    return Math.abs(dynamicWeight(1000, load) - before) >= before * COPY_CHANGE
  }

  #reconcile(id: string, listed: readonly string[] | undefined) {
    if (listed === undefined) return { unknown_agents: [], missing_agents: [] }
    const registered = new Set([...this.#parts.view.index.ofNode(id)].map((agent) => agent.id))
    const named = new Set(listed)
    return {
      unknown_agents: [...named].filter((agent) => !registered.has(agent)),
      missing_agents: [...registered].filter((agent) => !named.has(agent)),
    }
  }

  #watch(id: string, record: NodeRecord): Watched {
    const known = this.#watched.get(id)
    known?.cancel()
    const watched: Watched = known ?? {
      window: new RequestWindow(this.#parts.view.node(id)?.load ?? record.load),
      cancel: () => undefined,
      copiedAtMs: Number.NEGATIVE_INFINITY,
    }
    const lateMs = MISSED_AFTER * intervalMs(record)
    watched.cancel = this.#parts.clock.schedule(lateMs, () => void this.#onLate(id, record))
    this.#watched.set(id, watched)
    return watched
  }

  /** Not heard of here for too long: unless its lease was renewed elsewhere, it is degraded. */
  async #onLate(id: string, record: NodeRecord): Promise<void> {
    this.#watched.delete(id)
    const { store, view, logger } = this.#parts
    try {
      const remaining = await store.openLease(record.lease_id).remainingSeconds()
      const silentMs = (record.lease_ttl_s - remaining) * 1000
      const node = view.node(id)
      // etcd tells whole seconds, rounded down: a second of doubt is the node's.
      const isLate = silentMs >= MISSED_AFTER * intervalMs(record) - 50 && silentMs >= 1000
      if (!node || !isLate || statusOf(node) !== 'running') return
      const stored = { record: node.record, modRevision: node.modRevision }
      await this.#desk.change(stored, ({ status }) =>
        status === 'running' ? { status: 'degraded', degraded_by: 'missed_beat' } : undefined,
      )
    } catch (error) {
      // Its lease has ended: the store tells everybody. One that cannot be asked says nothing about the node.
      if (!(error instanceof LeaseLostError))
        logger.debug({ err: error, node: id }, 'a late node was not looked at')
    }
  }
}
