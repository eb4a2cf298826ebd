import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { Listing, StoredItem, StoreEvent } from '../store/config-store.ts'
import type { EventOrigin } from '../store/follow.ts'
import { AgentIndex } from './agent-index.ts'
import { type Change, ChangeLog, type RemovalReason } from './change-log.ts'
import { type AgentEntry, type NodeEntry, type Serving, statusOf } from './entries.ts'
import { Lingering } from './lingering.ts'
import { parseAgent, parseDrain, parseNode } from './parse-record.ts'
import { agentId, type DrainRecord, type NodeRecord, RegistryKeys } from './records.ts'

export interface ViewOptions {
  /** Of the store: `/apisix`. */
  readonly prefix: string
  readonly clock: Clock
  readonly logger: Logger
}

/** Told when what serves may be another: of these types, or of any. Must not throw. */
type ServingListener = (types: ReadonlySet<string>) => void

/**
 * The registry as the store tells it, in memory: look-ups and traffic are served from here and go on when the store is away. It
 * writes nothing; indexes and counts are made from the records alone.
 */
export class RegistryView {
  readonly keys: RegistryKeys
  readonly changes = new ChangeLog()
  readonly index = new AgentIndex()
  /** Nodes whose lease ended without anybody asking for it, and agents that went with them, as far as it was seen here. */
  readonly expired = { node: 0, agent: 0 }
  readonly #options: ViewOptions
  readonly #nodes = new Map<string, NodeEntry>()
  readonly #agents = new Map<string, AgentEntry>()
  readonly #drains = new Map<string, DrainRecord>()
  readonly #lingering: Lingering
  readonly #listeners = new Set<ServingListener>()
  #hasState = false
  #isConnected = false
  #heardAtMs: number | undefined
  readonly #waiters = new Set<{ readonly revision: number; readonly resolve: () => void }>()

  constructor(options: ViewOptions) {
    this.#options = options
    this.keys = new RegistryKeys(options.prefix)
    this.#lingering = new Lingering(options.clock, (types) => this.#tellServing(types))
  }

  /** The complete state. */
  onState({ items, revision }: Listing): void {
    this.#hasState = true
    this.changes.restart(revision)
    this.#applyRevision(
      revision,
      items.map((item) => ({ type: 'put', item })),
      { isTold: false, mayLinger: false },
    )
  }

  /** What changed since, whole revisions. False when it was nothing but figures of load. */
  onEvents(events: readonly StoreEvent[], revision: number, origin: EventOrigin): boolean {
    if (origin === 'rolled-back') this.changes.restart(revision)
    // A list after a gap shows what is gone and not when: its revision stands for all of it.
    const isWatched = origin === 'watch'
    const ordered = new Map<number, StoreEvent[]>()
    for (const event of events) {
      const at = isWatched ? revisionOf(event) : revision
      const part = ordered.get(at)
      if (part) part.push(event)
      else ordered.set(at, [event])
    }
    let isMore = false
    for (const [at, part] of ordered) {
      if (this.#applyRevision(at, part, { isTold: true, mayLinger: !isWatched })) isMore = true
    }
    this.#reached(revision)
    return isMore
  }

  onStatus(isConnected: boolean): void {
    if (this.#isConnected === isConnected) return
    this.#isConnected = isConnected
    this.#tellServing(new Set(this.index.types))
  }

  /** The store said at this revision that it is there. */
  #reached(revision: number): void {
    this.changes.append(revision, [])
    this.#heardAtMs = this.#options.clock.nowMs()
    for (const waiter of [...this.#waiters]) if (waiter.revision <= revision) waiter.resolve()
  }

  /** Whether anything is known yet. */
  get hasState(): boolean {
    return this.#hasState
  }

  /** Whether the store is followed at the moment; without it what is known stays as it is. */
  get isConnected(): boolean {
    return this.#isConnected
  }

  /** Milliseconds since the store last told of the registry; `undefined` before it did. */
  get silentMs(): number | undefined {
    return this.#heardAtMs === undefined ? undefined : this.#options.clock.nowMs() - this.#heardAtMs
  }

  /** Resolves when the view has come to `revision`, at the latest after `longestMs`. */
  async reaches(revision: number, longestMs: number): Promise<void> {
    if (this.changes.revision >= revision || !this.#isConnected) return
    await new Promise<void>((resolve) => {
      const end = () => {
        cancel()
        this.#waiters.delete(waiter)
        resolve()
      }
      const cancel = this.#options.clock.schedule(longestMs, end)
      const waiter = { revision, resolve: end }
      this.#waiters.add(waiter)
    })
  }

  node(id: string): NodeEntry | undefined {
    return this.#nodes.get(id)
  }

  agent(id: string): AgentEntry | undefined {
    return this.#agents.get(id)
  }

  nodes(): Iterable<NodeEntry> {
    return this.#nodes.values()
  }

  agents(): Iterable<AgentEntry> {
    return this.#agents.values()
  }

  /** Whether anyone of the type is registered, or was when the store came back without. */
  isKnown(type: string): boolean {
    if (this.index.ofType(type).size > 0) return true
    for (const _lost of this.#lingering.ofType(type)) return true
    return false
  }

  /** The agents of a type that requests may go to, those included that the store lost and nobody let go. */
  serving(type: string): Serving[] {
    const found: Serving[] = []
    for (const { record: agent } of this.index.ofType(type)) {
      const node = this.#nodes.get(agent.node_id)
      if (node) found.push({ agent, node })
    }
    for (const lost of this.#lingering.ofType(type)) {
      if (!this.#isBack(agentId(lost.agent))) found.push(lost)
    }
    return found
  }

  /** Whether it registered again, and its node has said that it runs, or that it does not any more. */
  #isBack(id: string): boolean {
    const agent = this.#agents.get(id)
    const node = agent && this.#nodes.get(agent.record.node_id)
    return node !== undefined && statusOf(node) !== 'initializing'
  }

  /** Hears when what serves may have changed; the result ends that. */
  subscribe(listener: ServingListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#listeners.clear()
    this.#lingering.close()
    for (const { resolve } of [...this.#waiters]) resolve()
  }

  #applyRevision(
    revision: number,
    events: readonly StoreEvent[],
    { isTold, mayLinger }: { readonly isTold: boolean; readonly mayLinger: boolean },
  ): boolean {
    const round = new Round(revision, mayLinger)
    // Nodes and drains first: agents are told with what has become of their node.
    const ranked = events.flatMap((event) => {
      const place = this.keys.read(event.type === 'put' ? event.item.key : event.key)
      return place ? [{ ...place, item: event.type === 'put' ? event.item : undefined }] : []
    })
    for (const kind of ['nodes', 'drain', 'agents'] as const) {
      for (const { id, item } of ranked.filter((one) => one.kind === kind)) this.#APPLY[kind](id, item, round)
    }
    this.changes.append(revision, isTold ? round.changes : round.changes.filter(isUnfinished))
    if (round.types.size > 0) this.#tellServing(round.types)
    return round.figuresOnly < ranked.length
  }

  readonly #APPLY: Readonly<
    Record<'nodes' | 'drain' | 'agents', (id: string, item: StoredItem | undefined, round: Round) => void>
  > = {
    nodes: (id, item, round) => {
      const record = item && this.#read(item, parseNode(id, item.value))
      if (record && item) this.#putNode({ id, record, item }, round)
      else this.#removeNode(id, round)
    },
    drain: (id, item, round) => {
      const drain = item && this.#read(item, parseDrain(item.value))
      if (drain) this.#drains.set(id, drain)
      else this.#drains.delete(id)
      const node = this.#nodes.get(id)
      if (!node) return
      this.#changeNode(node, round, () => {
        node.drain = drain
      })
    },
    agents: (id, item, round) => {
      const record = item && this.#read(item, parseAgent(id, item.value))
      if (record && item) this.#putAgent({ id, record, item }, round)
      else this.#removeAgent(id, round)
    },
  }

  #read<T>(item: StoredItem, record: T | undefined): T | undefined {
    if (record === undefined) {
      this.#options.logger.warn(
        { key: item.key },
        'a key of the registry holds no record of its place; it counts as absent',
      )
    }
    return record
  }

  #putNode({ id, record, item }: Put<NodeEntry['record']>, round: Round): void {
    const known = this.#nodes.get(id)
    const isSame = known?.createRevision === item.createRevision
    if (known && isSame) {
      const isLoadAlone = isSameButLoad(known.record, record)
      const update = () => {
        known.record = record
        known.modRevision = item.modRevision
        known.load = record.load ?? known.load
      }
      if (!isLoadAlone) {
        this.#changeNode(known, round, update)
        return
      }
      // Weights follow it in their own time (src/discovery/registry.ts).
      update()
      round.figuresOnly++
      return
    }
    const node: NodeEntry = {
      id,
      record,
      createRevision: item.createRevision,
      modRevision: item.modRevision,
      drain: this.#drains.get(id),
      load: record.load,
      activeConnections: undefined,
      lastBeatMs: known?.lastBeatMs,
      recoveredAtMs: undefined,
    }
    this.#nodes.set(id, node)
    this.#noteTypes(id, round)
    round.changes.push(nodeChange(round.revision, id, statusOf(node)))
  }

  #changeNode(node: NodeEntry, round: Round, change: () => void): void {
    const before = statusOf(node)
    change()
    const after = statusOf(node)
    if (before === 'degraded' && after === 'running') node.recoveredAtMs = this.#options.clock.nowMs()
    if (after === 'degraded') node.recoveredAtMs = undefined
    this.#noteTypes(node.id, round)
    if (before !== after) round.changes.push(nodeChange(round.revision, node.id, after))
  }

  #removeNode(id: string, round: Round): void {
    const node = this.#nodes.get(id)
    if (!node) return
    this.#nodes.delete(id)
    const reason: RemovalReason = !node.drain
      ? 'lease_expired'
      : node.drain.drain_s > 0
        ? 'node_drained'
        : 'deleted'
    if (reason === 'lease_expired') this.expired.node++
    round.gone.set(id, { node, reason })
    this.#noteTypes(id, round)
    round.changes.push(nodeChange(round.revision, id, 'gone'))
  }

  #noteTypes(nodeId: string, round: Round): void {
    for (const { record } of this.index.ofNode(nodeId)) round.types.add(record.type)
  }

  #putAgent({ id, record, item }: Put<AgentEntry['record']>, round: Round): void {
    const known = this.#agents.get(id)
    if (known) this.index.remove(known)
    const entry: AgentEntry = {
      id,
      record,
      createRevision: item.createRevision,
      modRevision: item.modRevision,
    }
    this.#agents.set(id, entry)
    this.index.add(entry)
    round.types.add(record.type)
    round.changes.push({
      revision: round.revision,
      type: known?.createRevision === item.createRevision ? 'agent_updated' : 'agent_registered',
      data: { id, node_id: record.node_id },
    })
  }

  #removeAgent(id: string, round: Round): void {
    if (!round.mayLinger) this.#lingering.forget(id)
    const agent = this.#agents.get(id)
    if (!agent) return
    this.#agents.delete(id)
    this.index.remove(agent)
    const { record } = agent
    const gone = round.gone.get(record.node_id)
    const node = this.#nodes.get(record.node_id) ?? gone?.node
    if (gone?.reason === 'lease_expired') this.expired.agent++
    if (round.mayLinger && node) this.#lingering.keep(id, { agent: record, node })
    round.types.add(record.type)
    const data = { id, node_id: record.node_id, reason: gone?.reason ?? ('deleted' satisfies RemovalReason) }
    round.changes.push({ revision: round.revision, type: 'agent_removed', data })
  }

  #tellServing(types: ReadonlySet<string>): void {
    for (const listener of [...this.#listeners]) listener(types)
  }
}

interface Put<R> {
  readonly id: string
  readonly record: R
  readonly item: StoredItem
}

/** What is found out while the events of one revision are applied. */
class Round {
  readonly revision: number
  /** What is gone may only have been lost by the store. */
  readonly mayLinger: boolean
  readonly changes: Change[] = []
  /** Types of agents of which something changed. */
  readonly types = new Set<string>()
  readonly gone = new Map<string, { readonly node: NodeEntry; readonly reason: RemovalReason }>()
  /** Events that told of a node's load and nothing else. */
  figuresOnly = 0

  constructor(revision: number, mayLinger: boolean) {
    this.revision = revision
    this.mayLinger = mayLinger
  }
}

function isSameButLoad(one: NodeRecord, other: NodeRecord): boolean {
  return isDeepStrictEqual({ ...one, load: undefined }, { ...other, load: undefined })
}

/** What is found and has still to come to its end: somebody sees to that. */
function isUnfinished({ data }: Change): boolean {
  return data.status === 'draining'
}

function nodeChange(revision: number, nodeId: string, status: string): Change {
  return { revision, type: 'node_status', data: { node_id: nodeId, status } }
}

function revisionOf(event: StoreEvent): number {
  return event.type === 'put' ? event.item.modRevision : event.modRevision
}
