import type { Logger } from '../observe/logger.ts'
import { createMetricRegistry } from '../observe/metric-registry.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import type { AnyPlugin, Clock, PluginHost } from '../plugin/definition.ts'
import { InstanceFactory } from '../plugin/instance.ts'
import type { PluginRegistry } from '../plugin/registry.ts'
import type { Settings } from '../settings/settings.ts'
import type { CompileEnvironment } from '../snapshot/compile-parts.ts'
import type { ClientCertificates } from '../upstream/client-certificates.ts'
import { Http1Pool } from '../upstream/h1/pool.ts'
import { PoolRegistry } from '../upstream/pool-registry.ts'

/** What everything in one gateway shares. */
export interface Environment {
  readonly settings: Settings
  readonly logger: Logger
  readonly metrics: MetricRegistry
  readonly plugins: PluginRegistry
  /** Plugin metadata by plugin name; written by the publisher at its commits. */
  readonly metadata: Map<string, Readonly<Record<string, unknown>>>
  readonly compile: CompileEnvironment & { readonly instances: InstanceFactory }
  readonly pools: PoolRegistry
  hostFor(plugin: AnyPlugin): PluginHost
}

const CLOCK: Clock = { now: () => Date.now(), monotonic: () => performance.now() }

/** Builds the shared parts; nothing listens, connects or runs yet. */
export function createEnvironment(settings: Settings, plugins: PluginRegistry, logger: Logger): Environment {
  const metrics = createMetricRegistry({
    onUpdateError: (error) => logger.error({ err: error }, 'a metric could not be updated'),
  })
  const metadata = new Map<string, Readonly<Record<string, unknown>>>()
  const attr = (name: string) => settings.plugin_attr[name] ?? {}
  const metadataOf = (name: string) => metadata.get(name) ?? plugins.defaultMetadata(name)
  const instances = new InstanceFactory({ logger, metrics, clock: CLOCK, attr, metadata: metadataOf })
  const clientCertificates: ClientCertificates = new Map()
  const pools = new PoolRegistry((identity) => new Http1Pool(identity, () => performance.now()))
  return {
    settings,
    logger,
    metrics,
    plugins,
    metadata,
    pools,
    compile: { plugins, instances, upstreams: { pools, random: Math.random }, clientCertificates },
    hostFor: (plugin) => ({
      logger: logger.child({ plugin: plugin.name }),
      metrics,
      clock: CLOCK,
      attr: attr(plugin.name),
    }),
  }
}
