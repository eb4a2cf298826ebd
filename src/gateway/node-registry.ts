import { existsSync } from 'node:fs'
import { BACKGROUND_CLOCK } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import { localSockets } from '../registry/local-sockets.ts'
import { declarations } from '../registry/metric-alias.ts'
import { Registry } from '../registry/registry.ts'
import { RegistryError } from '../registry/registry-error.ts'
import type { Choose } from '../registry/select.ts'
import type { Settings } from '../settings/settings.ts'
import type { ConfigStore } from '../store/config-store.ts'
import { isTransactional } from '../store/transactions.ts'
import type { Balancer, BalancerNode } from '../upstream/balancer/balancer.ts'
import { BALANCER_TYPES, findBalancer } from '../upstream/balancer/registry.ts'
import { RegistryLastGood } from './registry-last-good.ts'

/** Stores whose content comes as a whole from elsewhere. */
const READ_ONLY: readonly string[] = ['file', 'configs']

/** The gateway's own registry of service instances; `undefined` where the settings do not switch it on. Throws where no store can hold it. */
export function createRegistry(
  { gatewright, store }: Settings,
  { logger, metrics }: { readonly logger: Logger; readonly metrics: MetricRegistry },
): Registry | undefined {
  if (!gatewright.registry.enable) return undefined
  if (READ_ONLY.includes(store.type)) throw unfit(store.type)
  const { prefix } = store
  const { metrics_alias, unix_sockets } = gatewright.registry
  return new Registry({
    prefix,
    clock: BACKGROUND_CLOCK,
    logger,
    metrics: declarations(metrics, metrics_alias),
    now: () => Date.now(),
    sockets: localSockets(unix_sockets, existsSync),
  })
}

/** Lets nodes register in this store; the result ends what that began. Rejects when it is one that cannot hold them. */
export async function openRegistry(
  registry: Registry | undefined,
  store: ConfigStore,
  { settings, logger }: { readonly settings: Settings; readonly logger: Logger },
): Promise<() => Promise<void>> {
  if (!registry) return async () => undefined
  if (!isTransactional(store)) throw unfit(store.name)
  registry.open(store)
  const lastGood = new RegistryLastGood({ settings, logger, tap: registry.tap })
  await lastGood.open()
  return () => lastGood.close()
}

function unfit(store: string): Error {
  return new Error(
    `gatewright.registry: the ${store} store takes no registrations; use etcd, embedded or memory`,
  )
}

/** What the REST side of the registry is made with. */
export interface RegistryApiDeps {
  readonly registry: Registry
  readonly key: string | undefined
  readonly leaseTtl: number
  readonly nowMs: () => number
  readonly choose: Choose
}

export function registryApiDeps(
  registry: Registry | undefined,
  { gatewright: { registry: settings } }: Settings,
): RegistryApiDeps | undefined {
  if (!registry) return undefined
  const { key, lease_ttl } = settings
  return { registry, key, leaseTtl: lease_ttl, nowMs: () => BACKGROUND_CLOCK.nowMs(), choose: chooser() }
}

/** Types whose turns are remembered. */
const MOST_ROTATIONS = 1000

/** Picks as upstreams do. Of the round robins it remembers whose turn it is; others begin anew each time. */
function chooser(): Choose {
  const rotations = new Map<string, Balancer<BalancerNode>>()
  return (strategy, candidates, hashKey) => {
    const factory = findBalancer(strategy)
    if (!factory) {
      const known = BALANCER_TYPES.join(', ')
      throw new RegistryError('VALIDATION_FAILED', `strategy "${strategy}" is not known; use one of ${known}`)
    }
    const turn = `${strategy} ${candidates[0]?.address.split('/', 1)[0] ?? ''}`
    const balancer = factory.create(candidates, Math.random, rotations.get(turn))
    if (rotations.size < MOST_ROTATIONS || rotations.has(turn)) rotations.set(turn, balancer)
    const chosen = balancer.pick({ hashKey: () => hashKey, isExcluded: () => false })
    return chosen && candidates.findIndex(({ address }) => address === chosen.address)
  }
}
