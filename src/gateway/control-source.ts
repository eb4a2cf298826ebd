import { hostname } from 'node:os'
import type { ControlSource, ServerInfo, ShownSecret } from '../control/control.ts'
import type { HealthSource } from '../control/healthcheck.ts'
import type { LifecycleSource, QuitSource } from '../control/lifecycle.ts'
import type { DebugSource } from '../control/timeline.ts'
import { VERSION } from '../lib/version.ts'
import type { PluginRegistry } from '../plugin/registry.ts'
import { summarizePlugin } from '../plugin/summary.ts'
import type { Publisher } from '../snapshot/publisher.ts'
import { MAIN_SCHEMAS } from './main-schemas.ts'
import { shownItem, shownMetadata } from './shown-item.ts'
import { readSync, type SyncParts } from './sync-source.ts'

export interface ControlParts extends Omit<SyncParts, 'publisher' | 'now'> {
  /** Of this start of the gateway. */
  readonly nodeId: string
  readonly publisher: Publisher
  readonly plugins: PluginRegistry
  readonly health: HealthSource
  readonly debug: DebugSource
  /** Absent where one process does everything. */
  readonly workers?: () => readonly object[]
  /** In `gatewright dev`. */
  readonly reloadStatus?: () => object
  lifecycle(): LifecycleSource
  /** Absent where nobody may stop the process over HTTP. */
  readonly quit?: QuitSource | undefined
  dumpDiscovery(type: string): object | undefined
  reloadPlugins(): Promise<void>
  confirmStore(): boolean
  /** Absent where no secrets are resolved. */
  readonly secrets?: () => readonly ShownSecret[]
}

/** What the control API shows, read from the publisher at each request. */
export function controlSource(parts: ControlParts): ControlSource {
  const { publisher, plugins, health, debug } = parts
  const { graph } = publisher
  const info = describeProcess(parts.nodeId)
  return {
    health,
    debug,
    ...(parts.reloadStatus && { reloadStatus: parts.reloadStatus }),
    ...(parts.workers && { workers: parts.workers }),
    lifecycle: () => parts.lifecycle(),
    ...(parts.quit && { quit: parts.quit }),
    sync: () => readSync({ ...parts, now: Date.now }),
    *list(kind) {
      for (const resource of graph.list(kind)) yield shownItem(resource, plugins)
    },
    get: (kind, id) => {
      const resource = graph.get(kind, id)
      return resource && shownItem(resource, plugins)
    },
    listMetadata: () =>
      [...graph.list('plugin_metadata')]
        .filter(({ id }) => plugins.get(id))
        .map((resource) => shownMetadata(resource, plugins)),
    getMetadata: (name) => {
      const resource = plugins.get(name) && graph.get('plugin_metadata', name)
      return resource && shownMetadata(resource, plugins)
    },
    schema: () => ({
      main: MAIN_SCHEMAS,
      plugins: Object.fromEntries(plugins.all().map((plugin) => [plugin.name, summarizePlugin(plugin)])),
      stream_plugins: {},
    }),
    serverInfo: () => info,
    reloadPlugins: () => parts.reloadPlugins(),
    confirmStore: () => parts.confirmStore(),
    ...(parts.secrets && { secrets: parts.secrets }),
    dumpDiscovery: (type) => parts.dumpDiscovery(type),
  }
}

function describeProcess(id: string): ServerInfo {
  return {
    // Nothing here depends on it; APISIX says this too where it does not know.
    etcd_version: 'unknown',
    hostname: hostname(),
    id,
    version: VERSION,
    boot_time: Math.floor(Date.now() / 1000 - process.uptime()),
  }
}
