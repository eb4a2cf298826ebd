import { createLogger } from '../observe/logger.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import type { ConsumerView, RouteView } from '../plugin/context/request-context.ts'
import type {
  AnyPlugin,
  Clock,
  PluginHost,
  PublishedResources,
  StoredPart,
  StoredProto,
} from '../plugin/definition.ts'
import { createHttpClient } from '../plugin/http-client.ts'
import type { InstanceEnvironment } from '../plugin/instance.ts'
import {
  LocalOperations,
  type NodeOperations,
  onlyHere,
  type WorkerOperations,
} from '../plugin/node-operations.ts'
import { PublicApis } from '../plugin/public-apis.ts'
import type { PluginRegistry } from '../plugin/registry.ts'
import { TlsTrust } from '../plugin/tls-trust.ts'

export interface EnvironmentParts {
  readonly registry: PluginRegistry
  readonly metrics: MetricRegistry
  readonly metricPrefix?: string | undefined
  /** PEM. */
  readonly trustedCertificates?: string | undefined
  readonly clock: Clock
  readonly httpsPort?: number | undefined
  attr?(plugin: string): Readonly<Record<string, unknown>>
  metadata?(plugin: string): Readonly<Record<string, unknown>>
  /** Ids of upstreams that are configured. */
  readonly upstreams?: readonly string[] | undefined
  readonly protos?: Readonly<Record<string, StoredProto>> | undefined
  /** Those of another one, to share its state. */
  readonly nodeOperations?: NodeOperations | undefined
  readonly workerOperations?: WorkerOperations | undefined
  /** Told of timers that threw. */
  readonly onFailure?: (error: unknown) => void
}

/** What instances are made with where there is no gateway: real calls over HTTP, upstreams that are only named. */
export function instanceEnvironment(
  parts: EnvironmentParts,
): InstanceEnvironment & { close(): Promise<void> } {
  const {
    registry,
    metrics,
    metricPrefix = 'apisix_',
    clock,
    httpsPort,
    attr = () => ({}),
    onFailure = fail,
  } = parts
  const logger = createLogger('silent')
  const trust = new TlsTrust(parts.trustedCertificates)
  const tlsOptions = (isVerified: boolean) => trust.check(isVerified)
  const http = createHttpClient(trust)
  const hostFor = (plugin: AnyPlugin): PluginHost => ({
    logger,
    metrics,
    metricPrefix,
    clock,
    attr: attr(plugin.name),
    httpsPort,
    tlsOptions,
    http,
  })
  const publicApis = new PublicApis(() => registry.all(), hostFor)
  return {
    logger,
    metrics,
    metricPrefix,
    clock,
    attr,
    metadata: parts.metadata ?? ((name) => registry.defaultMetadata(name)),
    httpsPort,
    tlsOptions,
    http,
    nodeOperations: parts.nodeOperations ?? new LocalOperations('nodeOperations', hostFor),
    workerOperations: parts.workerOperations ?? onlyHere(new LocalOperations('workerOperations', hostFor)),
    published: namedResources(parts),
    prepare: (name, config) => registry.prepare(name, config, 'resource'),
    findPublicApi: (method, uri) => publicApis.find(method, uri),
    onBackgroundFailure: (_plugin, error) => onFailure(error),
    close: () => http.close(),
  }
}

function namedResources({ upstreams = [], protos = {} }: EnvironmentParts): PublishedResources {
  return {
    openUpstream: (name, target) =>
      'id' in target
        ? { name: `upstreams/${target.id}`, isKnown: () => upstreams.includes(target.id) }
        : { name, isKnown: () => true },
    findProto: (id) => protos[id],
    shown: (part, view) => shownAs(part, view),
  }
}

/** No more than what the view says is stored. */
function shownAs(
  part: StoredPart,
  view: RouteView | ConsumerView,
): Readonly<Record<string, unknown>> | undefined {
  if (part === 'consumer') {
    const { name, groupId, labels } = view as ConsumerView
    return { username: name, group_id: groupId, labels }
  }
  const { id, name, uri, host, serviceId, serviceName } = view as RouteView
  if (part === 'route') return { id, name, uri, host, service_id: serviceId }
  return serviceId === undefined ? undefined : { id: serviceId, name: serviceName }
}

function fail(error: unknown): never {
  throw error
}
