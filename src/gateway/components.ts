import type { FastifyPluginCallback } from 'fastify'
import { controlPlugin } from '../control/control.ts'
import { createControlListener } from '../control/listener.ts'
import { metricsPlugin } from '../control/metrics.ts'
import { statusPlugin } from '../control/status.ts'
import { BACKGROUND_CLOCK } from '../lib/clock.ts'
import type { ComponentStates } from '../lifecycle/component-states.ts'
import type { Component } from '../lifecycle/components.ts'
import { unlessAborted } from '../lifecycle/deadline.ts'
import type { Drain } from '../lifecycle/drain.ts'
import type { Readiness } from '../lifecycle/readiness.ts'
import { createRouter } from '../router/match.ts'
import type { ListenAddress } from '../settings/settings.ts'
import type { Plan } from '../snapshot/plan.ts'
import { Publisher } from '../snapshot/publisher.ts'
import type { ConfigStore } from '../store/config-store.ts'
import type { Following, FollowStatus } from '../store/follow.ts'
import { AdminListener, type CreateAdminApi } from './admin-listener.ts'
import { type AppliedSource, appliedSource } from './applied-source.ts'
import { Cluster } from './cluster/cluster.ts'
import { clusterComponent } from './cluster/component.ts'
import { ConfigAge } from './config-age.ts'
import { controlSource } from './control-source.ts'
import { localDebug } from './debug.ts'
import { registerDrainMetrics } from './drain-metrics.ts'
import { EnabledPlugins } from './enabled-plugins.ts'
import type { Environment } from './environment.ts'
import type { Development } from './gateway.ts'
import { healthSource } from './health-source.ts'
import { keyOwners } from './key-owners.ts'
import { removeSeriesOfTheGone } from './known-owners.ts'
import { LastGood } from './last-good.ts'
import type { Catalogue, PluginList } from './load-plugins.ts'
import { openRegistry } from './node-registry.ts'
import { openStore } from './open-store.ts'
import type { OwnPlugins } from './own-plugins/own-plugins.ts'
import type { Primary } from './primary.ts'
import { registerProcessMetrics } from './process-metrics.ts'
import { proxyComponents } from './proxy-components.ts'
import { runtimeComponent } from './runtime-metrics.ts'
import { pluginListKey } from './shared-plugin-list.ts'
import { quitSource, shownLifecycle } from './shown-lifecycle.ts'

/** Ranks of systems.md §6.3: started upwards, stopped downwards, equal ones together. */
const RANK = {
  status: 0,
  end: 1,
  store: 2,
  side: 3,
  hooks: 4,
  config: 5,
  prewarm: 6,
  proxy: 7,
  cluster: 8,
} as const

/** What is not ready as long as the list of gateways lacks this one, where that is required. */
const REGISTRATION = 'registration'

/** What one gateway is made of. */
export interface Parts {
  readonly components: readonly Component[]
  readonly publisher: Publisher
  /** Takes over the list of plugins as it stands now. */
  reloadPlugins(): Promise<void>
  /** Filled in while the components start. */
  readonly addresses: Addresses
}

export interface Addresses {
  proxy: readonly ListenAddress[]
  /** Proxy listeners with TLS. */
  tls?: readonly ListenAddress[]
  admin?: ListenAddress
  status?: ListenAddress
  control?: ListenAddress
  metrics?: ListenAddress
}

export interface Surroundings {
  readonly readiness: Readiness
  readonly drain: Drain
  readonly states: ComponentStates
  /** Absent where this process cannot end itself. */
  readonly quit: (() => void) | undefined
  /** Between the listeners beside the proxy and the configuration. */
  beforeStart?(signal: AbortSignal): void | Promise<void>
  /** Once everything but the status listener is closed; never rejects. */
  afterStop?(): Promise<void>
  readonly adminApi: CreateAdminApi
  /** Instead of the one that the settings choose. */
  readonly store: ConfigStore | undefined
  readonly catalogue: Catalogue
  /** What the settings say about `plugins` now. */
  readPluginList(): PluginList | Promise<PluginList>
  /** Where the proxy runs in workers; absent where this process does everything. */
  readonly primary: Primary | undefined
  readonly development?: (Development & { readonly own: OwnPlugins }) | undefined
}

/** Builds every long-lived part; each opens something only when it is started. */
export function buildComponents(environment: Environment, surroundings: Surroundings): Parts {
  const { settings, metrics, logger } = environment
  const { plugin_attr } = settings
  const { readiness, primary } = surroundings
  const publisher = publisherOf(environment, readiness)
  const enabled = new EnabledPlugins({
    ...environment,
    ...surroundings,
    publisher,
    ...(primary && { onReload: (names) => primary.enablePlugins(names) }),
  })
  surroundings.development?.own.attach({ ...environment, publisher, attributes: plugin_attr })
  primary?.attach(environment, publisher)
  const applied = primary?.appliedSource(appliedSource(publisher)) ?? appliedSource(publisher)
  const link = new StoreLink()
  const age = new ConfigAge({
    ...{ readiness, logger, clock: BACKGROUND_CLOCK, settings: settings.gatewright.config_stale },
    follow: () => link.following?.status(),
  })
  const work: Workshop = {
    age,
    applied,
    cluster: new Cluster({
      ...environment,
      publisher,
      applied,
      workers: () => primary?.serving ?? 1,
    }),
    environment,
    surroundings,
    publisher,
    enabled,
    addresses: { proxy: [] },
    link,
    lastGood: new LastGood({ settings, logger, metrics }),
  }
  age.expose(metrics)
  registerDrainMetrics(metrics, surroundings.drain)
  registerProcessMetrics(metrics, {
    publisher,
    readiness,
    isStoreReachable: () => work.link.following?.status().isReachable ?? false,
    prefix: plugin_attr.prometheus.metric_prefix,
  })
  const { pools, agentTypes } = environment
  removeSeriesOfTheGone(metrics, { graph: publisher.graph, pools, agentTypes })
  if (settings.deployment.role === 'control_plane') readiness.release('proxy')
  if (settings.gatewright.registration.required) readiness.block(REGISTRATION)
  return {
    components: componentsOf(work).map((component) => surroundings.states.watched(component)),
    publisher,
    reloadPlugins: () => enabled.reload(),
    addresses: work.addresses,
  }
}

function componentsOf(work: Workshop): Component[] {
  const { settings, metrics, logger } = work.environment
  const { readiness, primary, drain } = work.surroundings
  const { apisix, plugin_attr, deployment } = settings
  const { export_addr, export_uri, enable_export_server } = plugin_attr.prometheus
  const status = statusPlugin(readiness, {
    remarks: () => [...work.lastGood.remarks(), ...work.age.remarks()],
    drain,
  })
  const exposed = metricsPlugin(primary ?? metrics, export_uri)
  const control = controlOf(work)
  return [
    sideListener(work, 'status', { address: apisix.status, plugin: status }),
    storeComponent(work),
    runtimeComponent(metrics, RANK.store),
    enable_export_server && sideListener(work, 'metrics', { address: export_addr, plugin: exposed }),
    apisix.enable_control && sideListener(work, 'control', { address: apisix.control, plugin: control }),
    apisix.enable_admin && adminComponent(work),
    ...hookComponents(work.surroundings),
    configComponent(work),
    ...(deployment.role === 'control_plane' ? [] : proxyComponents(work, RANK)),
    clusterComponent(work.cluster, {
      rank: RANK.cluster,
      store: () => work.link.store!,
      onListed: () => readiness.release(REGISTRATION),
      logger,
      limitMs: settings.gatewright.shutdown.deregister_ms,
    }),
  ].filter((component) => component !== false)
}

function publisherOf(environment: Environment, readiness: Readiness): Publisher {
  const { settings, metadata, logger, compile, secrets, published } = environment
  const publisher = new Publisher({
    prefix: settings.store.prefix,
    environment: compile,
    router: createRouter<Plan>(settings.apisix.router.http),
    metadata,
    logger,
    now: () => Date.now(),
    decrypt: secrets.decrypt,
    secrets: secrets.cache,
    onPublish: () => readiness.release('config'),
  })
  published.attach(publisher)
  secrets.listen((references) => publisher.onSecrets(references))
  return publisher
}

function controlOf(work: Workshop): FastifyPluginCallback {
  const { environment, surroundings, publisher, enabled, link, lastGood } = work
  const { settings, plugins, monitor, discovery, secrets, debug } = environment
  const { development } = surroundings
  return controlPlugin(
    controlSource({
      publisher,
      plugins,
      health: healthSource({ graph: publisher.graph, monitor, prefix: settings.store.prefix }),
      feeds: discovery.feeds,
      dumpDiscovery: (type) => discovery.dump(type),
      store: () => link.status(),
      lastGood: () => lastGood.status(),
      confirmStore: () => lastGood.confirm(),
      reloadPlugins: () => enabled.reload(),
      secrets: () => secrets.cache.status(),
      debug: surroundings.primary?.debug(debug) ?? localDebug(debug),
      nodeId: environment.nodeId,
      lifecycle: () => shownLifecycle(surroundings),
      quit: quitSource(settings, surroundings.quit),
      ...(development && {
        reloadStatus: () => ({ ...development.status(), not_served: development.own.notServed() }),
      }),
      ...(surroundings.primary && { workers: () => surroundings.primary!.status() }),
    }),
  )
}

/** The store and the watch on it, once they are there. */
class StoreLink {
  store: ConfigStore | undefined = undefined
  following: Following | undefined = undefined

  status(): { readonly name: string; readonly follow: FollowStatus } | undefined {
    const { store, following } = this
    return store && following && { name: store.name, follow: following.status() }
  }
}

interface Workshop {
  readonly age: ConfigAge
  readonly environment: Environment
  readonly surroundings: Surroundings
  readonly publisher: Publisher
  readonly applied: AppliedSource
  readonly cluster: Cluster
  readonly enabled: EnabledPlugins
  readonly addresses: Addresses
  readonly link: StoreLink
  readonly lastGood: LastGood
}

function sideListener(
  { environment, addresses }: Workshop,
  name: 'status' | 'metrics' | 'control',
  { address, plugin }: { address: ListenAddress; plugin: FastifyPluginCallback },
): Component {
  const listener = createControlListener(plugin, environment.logger.child({ listener: name }))
  return {
    name,
    rank: name === 'status' ? RANK.status : RANK.side,
    start: async () => {
      addresses[name] = await listener.listen(address)
    },
    stop: () => listener.close().then(() => 0),
  }
}

function storeComponent({ environment, surroundings, link, lastGood }: Workshop): Component {
  let closeRegistry: (() => Promise<void>) | undefined
  return {
    name: 'store',
    rank: RANK.store,
    start: async () => {
      link.store = surroundings.store ?? (await openStore(environment.settings, environment.logger))
      closeRegistry = await openRegistry(environment.registry, link.store, environment)
      await lastGood.open(link.store)
    },
    stop: async () => {
      await closeRegistry?.()
      await lastGood.close()
      await link.store?.close()
      return 0
    },
  }
}

function adminComponent(work: Workshop): Component {
  const { environment, surroundings, publisher, addresses, link, enabled } = work
  const own = surroundings.development?.own
  let listener: AdminListener | undefined
  return {
    name: 'admin',
    rank: RANK.side,
    start: async () => {
      const { graph } = publisher
      listener = new AdminListener(environment, {
        graph,
        store: environment.secrets.sealed(link.store!),
        create: surroundings.adminApi,
        applied: work.applied,
        cluster: work.cluster,
        consumers: keyOwners(publisher),
        reloadPlugins: () => enabled.reload(),
        ...(own && { checkElsewhere: (kind, document) => own.check(kind, document) }),
      })
      addresses.admin = await listener.listen(environment.settings.deployment.admin.admin_listen)
    },
    stop: async () => {
      await listener?.close()
      return 0
    },
  }
}

/** What whoever embeds the gateway does at these two places. */
function hookComponents({ beforeStart, afterStop }: Surroundings): Component[] {
  const nothing = async () => undefined
  const start = async (signal: AbortSignal) => beforeStart?.(signal)
  const stop = () => Promise.resolve(afterStop?.()).then(() => 0)
  return [
    { name: 'afterStop', rank: RANK.end, start: nothing, stop },
    { name: 'beforeStart', rank: RANK.hooks, start, stop: async () => 0 },
  ]
}

function configComponent(work: Workshop): Component {
  const { environment, surroundings, publisher, link, lastGood, enabled, age } = work
  const { settings, logger } = environment
  const listener = enabled.listener()
  const start = async (signal: AbortSignal): Promise<void> => {
    const saved = lastGood.savedValue(pluginListKey(settings.store.prefix))
    await unlessAborted(enabled.start(link.store!, saved), signal)
    link.following = lastGood.follow({
      store: environment.registry?.tapped(link.store!) ?? link.store!,
      prefix: `${settings.store.prefix}/`,
      listener: surroundings.primary?.store.listener(listener) ?? listener,
      logger,
    })
    age.start()
    await publisher.firstPublish(signal)
  }
  const stop = async (): Promise<number> => {
    age.stop()
    await link.following?.close()
    environment.registry?.close()
    await publisher.settled()
    publisher.close()
    environment.secrets.cache.close()
    environment.discovery.close()
    return 0
  }
  return {
    name: 'configuration',
    rank: RANK.config,
    start: async (signal) => {
      try {
        await start(signal)
      } catch (error) {
        await stop()
        throw error
      }
    },
    stop,
  }
}
