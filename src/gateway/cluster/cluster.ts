import { hostname } from 'node:os'
import { BACKGROUND_CLOCK } from '../../lib/clock.ts'
import { VERSION } from '../../lib/version.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Settings } from '../../settings/settings.ts'
import type { Publisher } from '../../snapshot/publisher.ts'
import type { ConfigStore } from '../../store/config-store.ts'
import type { AppliedSource } from '../applied-source.ts'
import { Membership } from './membership.ts'
import { MAX_REFUSED, type NodeReport, readReport } from './node-report.ts'

export interface ClusterParts {
  readonly nodeId: string
  readonly settings: Settings
  readonly logger: Logger
  readonly publisher: Publisher
  readonly applied: AppliedSource
  workers(): number
}

/** This node among those that share its store. */
export class Cluster {
  readonly #parts: ClusterParts
  readonly #startedAtMs = Date.now()
  #store: ConfigStore | undefined
  #membership: Membership | undefined

  constructor(parts: ClusterParts) {
    this.#parts = parts
  }

  /** `onListed` is told once this node is on the list; at once where the store has none. */
  start(store: ConfigStore, onListed: () => void): void {
    const { logger, nodeId } = this.#parts
    this.#store = store
    this.#membership = new Membership({
      store,
      key: `${this.#prefix}${nodeId}`,
      clock: BACKGROUND_CLOCK,
      logger,
      describe: () => this.#describe(),
      onListed,
    })
    this.#membership.start()
  }

  async stop(): Promise<void> {
    await this.#membership?.stop()
  }

  /** Every node that has told of itself lately, this one as it is now, by id. Rejects when the store cannot be asked. */
  async list(): Promise<NodeReport[]> {
    const own = this.#describe()
    const listing = await this.#store?.list(this.#prefix)
    const others = (listing?.items ?? []).flatMap(({ value }) => readReport(value) ?? [])
    const nodes = [own, ...others.filter(({ id }) => id !== own.id)]
    return nodes.sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** Beside the configuration, so that no watch on that is told of it. */
  get #prefix(): string {
    return `${this.#parts.settings.store.prefix}-nodes/`
  }

  #describe(): NodeReport {
    const { nodeId, settings, publisher, applied, workers } = this.#parts
    const { observed, published } = applied.status()
    const { quarantined } = publisher.status
    return {
      id: nodeId,
      hostname: hostname(),
      version: VERSION,
      role: settings.deployment.role,
      workers: workers(),
      started_at_ms: this.#startedAtMs,
      reported_at_ms: Date.now(),
      applied_revision: published,
      observed_revision: observed,
      quarantined: quarantined
        .slice(0, MAX_REFUSED)
        .map(({ kind, id, reason, modRevision }) => ({ kind, id, reason, revision: modRevision })),
      quarantined_total: quarantined.length,
    }
  }
}
