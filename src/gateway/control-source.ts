import type { ControlItem, ControlSource } from '../control/control.ts'
import type { HealthSource } from '../control/healthcheck.ts'
import type { Kind } from '../model/kind.ts'
import { SCHEMAS } from '../model/schemas/index.ts'
import type { PluginRegistry } from '../plugin/registry.ts'
import type { Resource } from '../snapshot/graph.ts'
import type { Publisher } from '../snapshot/publisher.ts'
import type { NodeFeeds } from '../upstream/node-feeds.ts'

/** What the control API shows, read from the publisher at each request. */
export function controlSource(
  publisher: Publisher,
  plugins: PluginRegistry,
  { health, feeds }: { health: HealthSource; feeds: NodeFeeds },
): ControlSource {
  return {
    health,
    sync: () => {
      const { observed, published, pending, quarantined } = publisher.status
      const withoutNodes = [...feeds.empty()]
      return {
        observed_revision: observed,
        published_revision: published,
        ...(pending !== undefined && { pending_revision: pending }),
        quarantined,
        ...(withoutNodes.length > 0 && { without_nodes: withoutNodes }),
      }
    },
    list: (kind) => [...publisher.graph.list(kind)].map(itemOf),
    get: (kind, id) => {
      const resource = publisher.graph.get(kind, id)
      return resource && itemOf(resource)
    },
    schema: () => ({ main: SCHEMAS, plugins: pluginSchemas(plugins), stream_plugins: {} }),
  }
}

function itemOf(resource: Resource<Kind>): ControlItem {
  const { key, value, createRevision, modRevision } = resource
  return {
    key,
    value: value as unknown as Readonly<Record<string, unknown>>,
    createdIndex: createRevision,
    modifiedIndex: modRevision,
  }
}

function pluginSchemas(plugins: PluginRegistry): Record<string, unknown> {
  return Object.fromEntries(
    plugins.all().map((plugin) => [
      plugin.name,
      {
        priority: plugin.priority,
        schema: plugin.schema,
        ...(plugin.consumerSchema && { consumer_schema: plugin.consumerSchema }),
        ...(plugin.metadataSchema && { metadata_schema: plugin.metadataSchema }),
        ...(plugin.type && { type: plugin.type }),
      },
    ]),
  )
}
