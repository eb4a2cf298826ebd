import { SYSTEM_CLOCK } from '../../lib/clock.ts'
import type { Component } from '../../lifecycle/components.ts'
import { withinLimit } from '../../lifecycle/deadline.ts'
import type { Logger } from '../../observe/logger.ts'
import type { ConfigStore } from '../../store/config-store.ts'
import type { Cluster } from './cluster.ts'

export interface ClusterComponentOptions {
  readonly rank: number
  readonly logger: Logger
  /** How long a stop waits for the store to forget this node; after its lease it does so by itself. */
  readonly limitMs: number
  store(): ConfigStore
  /** Told once the node is on the list; at once where there is none. */
  onListed(): void
}

/** Last to start and first to stop: who is on the list serves. That it cannot be taken off the list cuts nothing and delays nothing for long. */
export function clusterComponent(cluster: Cluster, options: ClusterComponentOptions): Component {
  const { rank, logger, limitMs, store, onListed } = options
  return {
    name: 'cluster',
    rank,
    start: async () => cluster.start(store(), onListed),
    stop: async () => {
      const { outcome } = await withinLimit(() => cluster.stop(), limitMs, SYSTEM_CLOCK)
      if (outcome !== 'done')
        logger.warn({ limitMs }, 'the store did not forget this node in time; its lease ends by itself')
      return 0
    },
  }
}
