import { readFileSync } from 'node:fs'
import type { Discoverer, Watch } from '../discovery/discoverer.ts'
import { Discovery } from '../discovery/discovery.ts'
import { DnsDiscoverer } from '../discovery/dns.ts'
import { createDnsClient, type DnsClient } from '../discovery/dns-client.ts'
import { HostsFile } from '../discovery/hosts-file.ts'
import { createLookUp } from '../discovery/look-up.ts'
import type { Outcome } from '../discovery/refreshed.ts'
import { RegistryDiscoverer, type RegistrySource } from '../discovery/registry.ts'
import { parseResolvConf, type ResolvConf } from '../discovery/resolv-conf.ts'
import { NameResolver } from '../discovery/resolver.ts'
import { BACKGROUND_CLOCK } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import type { DnsDiscoverySettings, Settings } from '../settings/settings.ts'
import type { NodeOrigins } from '../upstream/node-feed.ts'
import { NodeFeeds } from '../upstream/node-feeds.ts'

/** How the nodes of upstreams are found; closing it ends questions that nobody waits for any more. */
export interface NodeDiscovery extends Watch {
  readonly feeds: NodeFeeds
  /** Absent where they are another process's. */
  readonly origins?: NodeOrigins
  /** What the registry of one `discovery_type` told; `undefined` where it has no view of that. */
  dump(type: string): object | undefined
}

const HOSTS_PATH = '/etc/hosts'
const RESOLV_CONF_PATH = '/etc/resolv.conf'

export interface DiscoveryParts {
  readonly logger: Logger
  readonly metrics: MetricRegistry
  /** The gateway's own; absent where it is switched off. */
  readonly registry?: RegistrySource | undefined
}

/** Builds it from the settings; nothing is asked before an upstream needs it. Throws when a part of `discovery` cannot be used. */
export function createNodeDiscovery(
  settings: Pick<Settings, 'apisix' | 'discovery'>,
  { logger, metrics, registry }: DiscoveryParts,
): NodeDiscovery {
  const { dns_resolver, dns_resolver_valid, resolver_timeout, enable_resolv_search_opt } = settings.apisix
  const timeoutMs = resolver_timeout * 1000
  const validMs = dns_resolver_valid === undefined ? undefined : dns_resolver_valid * 1000
  const search = enable_resolv_search_opt ? readResolvConf(RESOLV_CONF_PATH) : NO_SEARCH
  const hosts = new HostsFile(HOSTS_PATH)
  const clients: DnsClient[] = []
  const openClient = (servers: readonly string[]) => {
    const client = createDnsClient({ servers, timeoutMs, clock: BACKGROUND_CLOCK })
    clients.push(client)
    return client
  }
  const refresh = {
    clock: BACKGROUND_CLOCK,
    random: Math.random,
    onOutcome: outcomeReport(logger, metrics),
  }
  const names = new NameResolver(
    createLookUp({ hosts, client: openClient(dns_resolver), search, validMs }),
    refresh,
  )
  const createDns = (config: Readonly<Record<string, unknown>>): Discoverer => {
    const { servers, resolv_conf, order } = config as unknown as DnsDiscoverySettings
    const own = resolv_conf === undefined ? servers : readResolvConf(resolv_conf).servers
    const client = openClient(own.length > 0 ? own : dns_resolver)
    return new DnsDiscoverer({
      ...refresh,
      client,
      lookUp: createLookUp({ hosts, client, search: NO_SEARCH, validMs }),
      order,
      validMs,
    })
  }
  const factories = {
    dns: createDns,
    ...(registry && { registry: () => new RegistryDiscoverer(registry, BACKGROUND_CLOCK) }),
  }
  for (const type of Object.keys(settings.discovery)) {
    if (!Object.hasOwn(factories, type))
      logger.warn({ type }, 'discovery of this type is not known: upstreams that name it have no nodes')
  }
  const discovery = new Discovery(factories, { ...settings.discovery, ...(registry && { registry: {} }) })
  const feeds = new NodeFeeds({ names, discovery, clock: BACKGROUND_CLOCK, logger })
  return {
    feeds,
    origins: { names, discovery },
    dump: (type) => discovery.dump(type),
    close: () => clients.forEach((client) => void client.close()),
  }
}

/** In a worker: asks nothing itself. */
export function relayedDiscovery(origins: NodeOrigins, logger: Logger): NodeDiscovery {
  const feeds = new NodeFeeds({ ...origins, clock: BACKGROUND_CLOCK, logger })
  return { feeds, dump: () => undefined, close: () => undefined }
}

const NO_SEARCH: Pick<ResolvConf, 'search' | 'ndots'> = { search: [], ndots: 1 }

/** A system without the file has no search list; Node's resolver knows its servers by itself. */
function readResolvConf(path: string): ResolvConf {
  try {
    return parseResolvConf(readFileSync(path, 'utf8'))
  } catch (error) {
    if (path === RESOLV_CONF_PATH) return parseResolvConf('')
    throw new Error(`discovery.dns.resolv_conf: "${path}" cannot be read: ${(error as Error).message}`)
  }
}

/** Counts look-ups; says in the log when one begins to fail and when it is well again, not each time. */
function outcomeReport(logger: Logger, metrics: MetricRegistry) {
  const family = metrics.counter({
    name: 'gatewright_name_lookups_total',
    help: 'Look-ups of names of nodes and services, by what came of them',
    labels: ['result'],
  })
  const [ok, failed] = [family.labels('ok'), family.labels('failed')]
  return (name: string, { problem, isNews }: Outcome) => {
    if (problem === undefined) {
      ok.inc()
      if (isNews) logger.info({ name }, 'a name is found again')
      return
    }
    failed.inc()
    if (isNews)
      logger.warn({ name, reason: problem }, 'a name is not found; what was known of it stays in use')
  }
}
