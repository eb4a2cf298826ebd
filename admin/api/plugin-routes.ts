import { type Answer, Refusal, refuse } from './answer.ts'
import type { Call } from './call.ts'
import type { AdminDeps, PluginDescription } from './deps.ts'

/** The answers below `plugins`, which also serve `schema/plugins` (contract §1.2). */
export interface PluginRoutes {
  /** `plugins/list` */
  list(call: Call): Answer
  /** `plugins/{name}` and `plugins?all=true` */
  describe(call: Call): Answer
}

export function createPluginRoutes({ plugins }: AdminDeps): PluginRoutes {
  return {
    list: ({ query }) => {
      const subsystem = query.get('subsystem') ?? 'http'
      if (!isSubsystem(subsystem)) throw new Refusal({ status: 400, text: 'invalid subsystem passed' })
      return { status: 200, json: enabled(plugins.all(), subsystem).map(({ name }) => name) }
    },
    describe: ({ id: name, query }) => {
      const subsystem = query.get('subsystem') ?? 'http'
      if (!isSubsystem(subsystem)) throw refuse(400, `unsupported subsystem: ${subsystem}`)
      const known = enabled(plugins.all(), subsystem)
      if (name === undefined && query.get('all') === 'true') {
        return { status: 200, json: Object.fromEntries(known.map((one) => [one.name, summary(one)])) }
      }
      const plugin = known.find((one) => one.name === name)
      if (plugin === undefined) throw refuse(404, `plugin not found in subsystem ${subsystem}`)
      const isConsumer = query.get('schema_type') === 'consumer'
      const schema = isConsumer ? plugin.consumerSchema : plugin.schema
      if (schema === undefined) throw refuse(400, 'not found schema')
      return { status: 200, json: schema }
    },
  }
}

function isSubsystem(name: string): name is 'http' | 'stream' {
  return name === 'http' || name === 'stream'
}

/** No plugin runs on streams here. */
function enabled(plugins: readonly PluginDescription[], subsystem: 'http' | 'stream') {
  return subsystem === 'http' ? plugins : []
}

function summary({ priority, schema, consumerSchema, metadataSchema, type, scope }: PluginDescription) {
  return {
    version: 0.1,
    priority,
    schema,
    ...(metadataSchema && { metadata_schema: metadataSchema }),
    ...(consumerSchema && { consumer_schema: consumerSchema }),
    ...(type && { type }),
    ...(scope && { scope }),
  }
}
