import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { ConfigStore } from '../store/config-store.ts'
import type { TransactionalStore } from '../store/transactions.ts'
import { AgentDesk } from './agent-desk.ts'
import type { DeskParts } from './desk.ts'
import { Drains } from './drains.ts'
import { FailingNodes } from './failing-nodes.ts'
import { Heartbeats } from './heartbeats.ts'
import { type LocalSockets, localSockets } from './local-sockets.ts'
import type { Declarations } from './metric-alias.ts'
import { registerRegistryMetrics } from './metrics.ts'
import { NodeDesk } from './node-desk.ts'
import { ViewSource } from './source.ts'
import { RegistryTap, tapStore } from './tap.ts'
import { RegistryView } from './view.ts'

export interface RegistryOptions {
  /** Of the store: `/apisix`. */
  readonly prefix: string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Declarations
  /** Wall clock, ms. */
  readonly now: () => number
  /** Unix sockets that may be used. Default: none. */
  readonly sockets?: LocalSockets
}

/** The registry of one gateway: what it knows, and the desks where nodes and agents register once the store is open. */
export class Registry {
  readonly view: RegistryView
  readonly source: ViewSource
  readonly tap: RegistryTap
  readonly sockets: LocalSockets
  readonly #options: RegistryOptions
  readonly #count: DeskParts['count']
  #desks: Desks | undefined

  constructor(options: RegistryOptions) {
    this.#options = options
    this.view = new RegistryView(options)
    this.tap = new RegistryTap(this.view)
    this.sockets = options.sockets ?? localSockets([], () => false)
    this.source = new ViewSource(this.view, options.clock, this.sockets)
    this.#count = registerRegistryMetrics(options.metrics, this.view, options.clock)
  }

  /** Where nodes and agents register. */
  get desks(): Desks {
    if (!this.#desks) throw new Error('the registry is used before its store is open')
    return this.#desks
  }

  /** A heartbeat that could not be read. */
  countInvalidBeat(): void {
    this.#count.heartbeat('invalid')
  }

  /** What health checks find of agents, see {@link FailingNodes.found}; nothing while the store is not open. */
  foundFailing(source: string, agents: readonly string[]): void {
    this.#desks?.failing.found(source, agents)
  }

  open(store: TransactionalStore): void {
    const { view } = this
    const { clock, now, logger } = this.#options
    const parts: DeskParts = { store, view, clock, now, logger, count: this.#count }
    const nodes = new NodeDesk(parts)
    const failing = new FailingNodes({ view, clock, logger, desk: nodes })
    this.#desks = {
      nodes,
      agents: new AgentDesk(parts),
      failing,
      heartbeats: new Heartbeats(parts, nodes, failing),
      drains: new Drains(view, nodes, { clock, logger }),
    }
  }

  /** The store without what is the registry's: its lists and watches tell that to the registry instead. */
  tapped(store: ConfigStore): ConfigStore {
    return tapStore(store, this.tap)
  }

  close(): void {
    this.#desks?.heartbeats.close()
    this.#desks?.drains.close()
    this.#desks?.failing.close()
    this.view.close()
  }
}

export interface Desks {
  readonly nodes: NodeDesk
  readonly agents: AgentDesk
  readonly heartbeats: Heartbeats
  readonly drains: Drains
  readonly failing: FailingNodes
}
