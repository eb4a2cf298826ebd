import { PluginReloadError } from '../../src/plugin/reload-error.ts'
import { summarizePlugin } from '../../src/plugin/summary.ts'
import { type Answer, Refusal, refuse } from './answer.ts'
import type { Call } from './call.ts'
import type { AdminDeps, PluginDescription } from './deps.ts'

/** The answers below `plugins`, which also serve `schema/plugins` (contract §1.2). */
export interface PluginRoutes {
  /** `plugins/list` */
  list(call: Call): Answer
  /** `plugins/{name}` and `plugins?all=true` */
  describe(call: Call): Answer
  /** `plugins/reload` */
  reload(call: Call): Promise<Answer>
}

/** By `schema_type`; any other value means the schema itself. */
const SCHEMA_FIELD: ReadonlyMap<string, 'consumerSchema' | 'metadataSchema'> = new Map([
  ['consumer', 'consumerSchema'],
  ['metadata', 'metadataSchema'],
])

export function createPluginRoutes({ plugins, reloadPlugins }: AdminDeps): PluginRoutes {
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
        return { status: 200, json: Object.fromEntries(known.map((one) => [one.name, summarizePlugin(one)])) }
      }
      const plugin = known.find((one) => one.name === name)
      if (plugin === undefined) throw refuse(404, `plugin not found in subsystem ${subsystem}`)
      const schema = plugin[SCHEMA_FIELD.get(query.get('schema_type') ?? '') ?? 'schema']
      if (schema === undefined) throw refuse(400, 'not found schema')
      return { status: 200, json: schema }
    },
    reload: async ({ method }) => {
      if (method !== 'PUT') {
        const text = `please use PUT method to reload the plugins, ${method} method is not allowed.`
        throw refuse(405, text)
      }
      try {
        await reloadPlugins?.()
      } catch (error) {
        if (error instanceof PluginReloadError) throw refuse(400, error.message)
        throw error
      }
      return { status: 200, text: 'done' }
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
