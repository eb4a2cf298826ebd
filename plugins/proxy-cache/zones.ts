import {
  ConfigError,
  type Family,
  type Gauge,
  type InstanceHost,
  type Logger,
  type MetricRegistry,
  type PluginHost,
} from '../../src/plugin/api.ts'
import type { CacheStore } from '../_shared/cache/cache-store.ts'
import { DiskStore } from '../_shared/cache/disk-store.ts'
import { MemoryStore } from '../_shared/cache/memory-store.ts'
import { Flights } from './flights.ts'
import type { CacheStatus } from './rules.ts'
import type { ProxyCacheAttr, ProxyCacheConfig, ZoneSpec } from './schema.ts'

/** As nginx: what an answer on disk costs in memory. */
const INDEX_ENTRY_BYTES = 128
/** An answer in memory takes at least this. */
const LEAST_ENTRY_BYTES = 512
/** Between two log lines about the same trouble of a zone. */
const LOG_INTERVAL_MS = 60_000

/** Where answers are kept, and what is under way to fill it; shared by all configurations that name it. */
export interface Zone {
  readonly name: string
  readonly store: CacheStore
  readonly flights: Flights
  count(status: CacheStatus): void
}

interface OpenZone {
  readonly zone: Zone
  users: number
}

/**
 * Zones span resources, so they belong to the gateway and not to one instance. The metric registry is what all instances of one
 * gateway have in common; weakly held, a gateway that is gone takes its zones with it.
 */
const zonesOf = new WeakMap<MetricRegistry, Zones>()

/** The zone that a configuration names, opened by the first that does and closed with the last. Throws with the contract's text. */
export function joinZone(config: ProxyCacheConfig, host: InstanceHost): Zone {
  const spec = findZone(config, host.attr as ProxyCacheAttr)
  const zones = zonesOf.get(host.metrics) ?? new Zones(host.metrics)
  zonesOf.set(host.metrics, zones)
  return zones.join(spec, host)
}

/** Names answers of a zone, in whatever process they are. */
export interface Purge {
  readonly zone: string
  readonly key: string
}

/** For the plugin's `workerOperations`: forgets them in this process, and says whether there were any. */
export function purgeOperation({ metrics }: PluginHost): (purge: Purge) => boolean | Promise<boolean> {
  return ({ zone, key }) => zonesOf.get(metrics)?.find(zone)?.store.purge(key) ?? false
}

/** Throws {@link ConfigError} when there is no such zone, or none for the strategy. */
export function findZone(
  { cache_zone: name, cache_strategy: strategy }: ProxyCacheConfig,
  { zones = [] }: ProxyCacheAttr,
): ZoneSpec {
  const spec = zones.find((zone) => zone.name === name)
  if (!spec) throw new ConfigError(`cache_zone ${name} not found`)
  if ((strategy === 'disk') !== (spec.folder !== undefined)) {
    throw new ConfigError(`invalid or empty cache_zone for cache_strategy: ${strategy}`)
  }
  return spec
}

class Zones {
  readonly #metrics: MetricRegistry
  readonly #open = new Map<string, OpenZone>()
  readonly #bytes: Family<Gauge>
  readonly #entries: Family<Gauge>

  constructor(metrics: MetricRegistry) {
    this.#metrics = metrics
    this.#bytes = metrics.gauge({
      name: 'gatewright_proxy_cache_bytes',
      help: 'Bytes that a zone of the cache holds.',
      labels: ['zone'],
    })
    this.#entries = metrics.gauge({
      name: 'gatewright_proxy_cache_entries',
      help: 'Answers that a zone of the cache holds.',
      labels: ['zone'],
    })
    metrics.beforeCollect(() => this.#showSizes())
  }

  /** One that is open. */
  find(name: string): Zone | undefined {
    return this.#open.get(name)?.zone
  }

  join(spec: ZoneSpec, host: InstanceHost): Zone {
    const open = this.#open.get(spec.name) ?? { zone: this.#make(spec, host), users: 0 }
    this.#open.set(spec.name, open)
    open.users += 1
    host.own(() => this.#leave(open))
    return open.zone
  }

  async #leave(open: OpenZone): Promise<void> {
    open.users -= 1
    if (open.users > 0) return
    const { name } = open.zone
    this.#open.delete(name)
    for (const sizes of [this.#bytes, this.#entries]) sizes.remove(([zone]) => zone === name)
    await open.zone.store.close()
  }

  #make(spec: ZoneSpec, host: InstanceHost): Zone {
    const requests = this.#metrics.counter({
      name: 'gatewright_proxy_cache_requests_total',
      help: 'Requests that met the cache, by what Apisix-Cache-Status said.',
      labels: ['zone', 'status'],
    })
    return {
      name: spec.name,
      store: openStore(spec, host, this.#metrics),
      flights: new Flights(host.clock),
      count: (status) => requests.labels(spec.name, status).inc(),
    }
  }

  #showSizes(): void {
    for (const { zone } of this.#open.values()) {
      this.#bytes.labels(zone.name).set(zone.store.bytes)
      this.#entries.labels(zone.name).set(zone.store.entries)
    }
  }
}

function openStore(spec: ZoneSpec, host: InstanceHost, metrics: MetricRegistry): CacheStore {
  const { folder, memory_bytes: memoryBytes, disk_bytes: diskBytes = 0, levels = [] } = spec
  if (folder === undefined) {
    return new MemoryStore({ maxBytes: memoryBytes, maxEntries: Math.ceil(memoryBytes / LEAST_ENTRY_BYTES) })
  }
  const failures = metrics.counter({
    name: 'gatewright_proxy_cache_failures_total',
    help: 'What the disk refused, and files that could not be used, by zone and reason.',
    labels: ['zone', 'reason'],
  })
  const log = quietLog(host.logger, host.clock.monotonic)
  return new DiskStore({
    folder,
    levels,
    maxBytes: diskBytes,
    maxEntries: Math.ceil(memoryBytes / INDEX_ENTRY_BYTES),
    now: () => host.clock.now(),
    onFailure(reason, error) {
      failures.labels(spec.name, reason).inc()
      log({ zone: spec.name, folder, reason, err: error })
    },
  })
}

/** One line for each reason in a while: a full disk fails with every answer. */
function quietLog(
  logger: Logger,
  monotonic: () => number,
): (facts: Record<string, unknown> & { reason: string }) => void {
  const loggedAt = new Map<string, number>()
  return (facts) => {
    const now = monotonic()
    if (now - (loggedAt.get(facts.reason) ?? Number.NEGATIVE_INFINITY) < LOG_INTERVAL_MS) return
    loggedAt.set(facts.reason, now)
    logger.warn(facts, 'the cache does without its disk for now: answers come from the upstream')
  }
}
