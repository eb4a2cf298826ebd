import { randomUUID } from 'node:crypto'
import { SYSTEM_CLOCK } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import { createMetricRegistry } from '../observe/metric-registry.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import type { AnyPlugin, Clock, PluginHost } from '../plugin/definition.ts'
import { createHttpClient } from '../plugin/http-client.ts'
import { type InstanceEnvironment, InstanceFactory } from '../plugin/instance.ts'
import {
  LocalOperations,
  type NodeOperations,
  onlyHere,
  type WorkerOperations,
} from '../plugin/node-operations.ts'
import { PublicApis } from '../plugin/public-apis.ts'
import type { PluginRegistry } from '../plugin/registry.ts'
import { TlsTrust } from '../plugin/tls-trust.ts'
import type { Registry } from '../registry/registry.ts'
import type { Settings } from '../settings/settings.ts'
import type { CompileEnvironment } from '../snapshot/compile-parts.ts'
import type { ClientCertificates } from '../upstream/client-certificates.ts'
import { HealthMonitor, type HealthMonitorOptions, type HealthRelay } from '../upstream/health/monitor.ts'
import { probeOverSocket } from '../upstream/health/probe.ts'
import type { NodeOrigins } from '../upstream/node-feed.ts'
import type { PoolRegistry } from '../upstream/pool-registry.ts'
import type { TlsContexts } from '../upstream/tls-contexts.ts'
import type { UpstreamEnvironment } from '../upstream/upstream.ts'
import type { AgentTypes } from './agent-types.ts'
import { Debug } from './debug.ts'
import { createNodeDiscovery, type NodeDiscovery, relayedDiscovery } from './node-discovery.ts'
import { nodeMetrics } from './node-metrics.ts'
import { createRegistry } from './node-registry.ts'
import { createPools, createTlsContexts, createUnusedPools } from './open-pools.ts'
import { type GatewaySecrets, openSecrets } from './open-secrets.ts'
import { backgroundFailure } from './plugin-failures.ts'
import { LivePublishedResources } from './published-resources.ts'
import type { RelayedSecrets } from './relayed-secrets.ts'
import { readTrusted } from './trusted-authorities.ts'
import { countUpstreamEvents, registerUpstreamStatus } from './upstream-observer.ts'

/** What everything in one gateway shares. */
export interface Environment {
  /** Of this start of the gateway. */
  readonly nodeId: string
  readonly settings: Settings
  readonly logger: Logger
  readonly metrics: MetricRegistry
  readonly plugins: PluginRegistry
  /** Plugin metadata by plugin name; written by the publisher at its commits. */
  readonly metadata: Map<string, Readonly<Record<string, unknown>>>
  readonly compile: CompileEnvironment & { readonly instances: InstanceFactory }
  readonly pools: PoolRegistry
  /** Absent with `apisix.disable_upstream_healthcheck` and in a control plane. */
  readonly monitor: HealthMonitor | undefined
  /** Closed after the last upstream was disposed. */
  readonly discovery: NodeDiscovery
  /** Absent where it is switched off, and in a worker. */
  readonly registry: Registry | undefined
  /** What is registered; absent where the registry is switched off. */
  readonly agentTypes: AgentTypes | undefined
  readonly nodeOperations: NodeOperations
  /** Run by this process, in its turn, when one of the node's workers wants them run in all. */
  readonly ownOperations: LocalOperations
  /** For what is read from configuration; in a worker only the worst, because the primary says the rest. */
  readonly logConfiguration: Logger
  /** Its cache is closed after the publisher. */
  readonly secrets: GatewaySecrets
  hostFor(plugin: AnyPlugin): PluginHost
  readonly published: LivePublishedResources
  readonly debug: Debug
  /** For plugins; closed after the last of them. */
  readonly http: ReturnType<typeof createHttpClient>
}

/** What a process takes from its primary, or has to tell its workers. */
export interface EnvironmentOptions {
  readonly logger: Logger
  /** Told of every change of a node's health. */
  readonly onNode?: NonNullable<HealthMonitorOptions['onNode']>
  /** In a worker. */
  readonly relayed?: Relayed
}

/** What the primary process does for its workers. */
export interface Relayed {
  readonly health: HealthRelay
  readonly origins: NodeOrigins
  readonly agentTypes: AgentTypes
  readonly secrets: RelayedSecrets
  /** `local` runs them in this process. */
  nodeOperations(local: NodeOperations): NodeOperations
  readonly workerOperations: WorkerOperations
  /** The metrics of the whole node, for plugins that show them. */
  exposition(): Promise<string>
}

const CLOCK: Clock = { now: () => Date.now(), monotonic: () => performance.now() }

/** Builds the shared parts; nothing listens, connects or runs yet. */
export function createEnvironment(
  settings: Settings,
  plugins: PluginRegistry,
  { logger, relayed, onNode }: EnvironmentOptions,
): Environment {
  // The primary reads the same configuration, and says what is to be said of it.
  const configLogger = relayed ? logger.child({}, { level: 'fatal' }) : logger
  const metrics = createMetrics(settings, logger)
  const shared = sharedHost(settings, relayed ? nodeMetrics(metrics, relayed.exposition) : metrics)
  const metadata = new Map<string, Readonly<Record<string, unknown>>>()
  const clientCertificates: ClientCertificates = new Map()
  const registry = relayed ? undefined : createRegistry(settings, { logger, metrics })
  const discovery = relayed
    ? relayedDiscovery(relayed.origins, configLogger)
    : createNodeDiscovery(settings, { logger, metrics, registry: registry?.source })
  const secrets = openSecrets(settings, { plugins, logger: configLogger, metrics, relayed: relayed?.secrets })
  const contexts = createTlsContexts(settings, clientCertificates)
  const upstreams = {
    ...checkedUpstreams({ settings, metrics, logger, registry }, { contexts, relayed, onNode }),
    ...nodesOf({ settings, discovery, logConfiguration: configLogger }, contexts),
  }
  const hostFor = (plugin: AnyPlugin): PluginHost => ({
    ...shared,
    logger: logger.child({ plugin: plugin.name }),
    attr: plugins.attr(plugin.name),
  })
  const { ownOperations, ...operations } = createOperations(hostFor, relayed)
  const published = new LivePublishedResources(upstreams, plugins)
  const parts = { logger, plugins, metadata, hostFor, published, shared, operations }
  const instances = createInstances(parts)
  return {
    nodeId: randomUUID(),
    settings,
    logger,
    metrics,
    plugins,
    metadata,
    pools: upstreams.pools,
    monitor: upstreams.monitor,
    discovery,
    registry,
    agentTypes: registry?.view ?? (settings.gatewright.registry.enable ? relayed?.agentTypes : undefined),
    nodeOperations: operations.nodeOperations,
    ownOperations,
    logConfiguration: configLogger,
    compile: { plugins, instances, upstreams, clientCertificates, secrets: secrets.cache },
    secrets,
    hostFor,
    published,
    http: shared.http,
    debug: new Debug(settings.gatewright.debug),
  }
}

function createOperations(hostFor: Environment['hostFor'], relayed: Relayed | undefined) {
  const local = new LocalOperations('nodeOperations', hostFor)
  const ownOperations = new LocalOperations('workerOperations', hostFor)
  return {
    nodeOperations: relayed?.nodeOperations(local) ?? local,
    workerOperations: relayed?.workerOperations ?? onlyHere(ownOperations),
    ownOperations,
  }
}

/** What all plugins are given alike. */
type SharedHost = Omit<PluginHost, 'logger' | 'attr'> & Pick<Environment, 'http'>

function sharedHost({ apisix, plugin_attr }: Settings, metrics: MetricRegistry): SharedHost {
  const trust = new TlsTrust(readTrusted(apisix.ssl.ssl_trusted_certificate))
  return {
    metrics,
    metricPrefix: plugin_attr.prometheus.metric_prefix,
    clock: CLOCK,
    httpsPort: firstTlsPort(apisix.ssl),
    tlsOptions: (isVerified) => trust.check(isVerified),
    http: createHttpClient(trust),
  }
}

interface InstanceParts
  extends Pick<Environment, 'logger' | 'plugins' | 'metadata' | 'hostFor' | 'published'> {
  readonly shared: SharedHost
  readonly operations: Pick<InstanceEnvironment, 'nodeOperations' | 'workerOperations'>
}

function createInstances(parts: InstanceParts): InstanceFactory {
  const { logger, plugins, metadata, hostFor, published, shared, operations } = parts
  const publicApis = new PublicApis(() => plugins.all(), hostFor)
  return new InstanceFactory({
    ...shared,
    ...operations,
    logger,
    attr: (name) => plugins.attr(name),
    metadata: (name) => metadata.get(name) ?? plugins.defaultMetadata(name),
    published,
    prepare: (name, config) => plugins.prepare(name, config, 'resource'),
    findPublicApi: (method, uri) => publicApis.find(method, uri),
    onBackgroundFailure: backgroundFailure(logger, shared.metrics),
  })
}

/** APISIX's library counts its own errors: here those are sources of metrics that could not be read. */
function createMetrics({ plugin_attr }: Settings, logger: Logger): MetricRegistry {
  const metrics = createMetricRegistry({
    onUpdateError: (error) => {
      errors.inc()
      logger.error({ err: error }, 'a metric could not be updated')
    },
  })
  const name = `${plugin_attr.prometheus.metric_prefix}nginx_metric_errors_total`
  const errors = metrics.counter({ name, help: 'Metrics that could not be updated', labels: [] }).labels()
  return metrics
}

/** One that is chosen when the listener opens (0) is not known yet. */
function firstTlsPort({ enable, listen: [first] }: Settings['apisix']['ssl']): number | undefined {
  return enable && first && first.port !== 0 ? first.port : undefined
}

function nodesOf(
  { settings, discovery, logConfiguration }: Pick<Environment, 'settings' | 'discovery' | 'logConfiguration'>,
  contexts: TlsContexts,
): Pick<UpstreamEnvironment, 'pools' | 'random' | 'feeds'> {
  const random = Math.random
  // It has no use for the addresses behind names: it would ask for them in vain.
  if (settings.deployment.role === 'control_plane') return { pools: createUnusedPools(), random }
  return { pools: createPools(contexts, logConfiguration), random, feeds: discovery.feeds }
}

interface HealthWiring {
  readonly contexts: TlsContexts
  readonly relayed: Relayed | undefined
  readonly onNode: EnvironmentOptions['onNode']
}

/** A control plane sends no requests: what its nodes are like is for the data planes to find out. */
function checkedUpstreams(
  { settings, metrics, logger, registry }: Pick<Environment, 'settings' | 'metrics' | 'logger' | 'registry'>,
  { contexts, relayed, onNode }: HealthWiring,
): Pick<UpstreamEnvironment, 'observer' | 'monitor'> {
  const { apisix, deployment } = settings
  const relay = relayed?.health
  const observer = countUpstreamEvents(metrics)
  if (apisix.disable_upstream_healthcheck || deployment.role === 'control_plane') return { observer }
  const monitor = new HealthMonitor({
    clock: SYSTEM_CLOCK,
    now: () => Date.now(),
    random: Math.random,
    probe: probeOverSocket,
    logger,
    secureContext: (tls) => contexts.contextFor(tls),
    onPanic: observer.onPanic,
    ...(relay && { relay }),
    ...(onNode && { onNode }),
    ...(registry && {
      onFailing: (upstream: string, node: string, agents: readonly string[]) =>
        registry.foundFailing(`${upstream} ${node}`, agents),
    }),
  })
  if (relay) return { observer, monitor }
  const prefixes = { metric: settings.plugin_attr.prometheus.metric_prefix, store: settings.store.prefix }
  registerUpstreamStatus(metrics, monitor, prefixes)
  return { observer, monitor }
}
