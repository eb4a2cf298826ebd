import type { AnyPlugin, NodeOperation, PluginHost } from './definition.ts'

/** Where plugins' node-wide operations run: here, or in the process that owns the node's state. */
export interface NodeOperations {
  /** The plugin's operation of that name. Throws when it has none. */
  bind(plugin: AnyPlugin, name: string): NodeOperation
}

/** Runs them in this process. Their state is made at the first use and lives as long as the process. */
export class LocalNodeOperations implements NodeOperations {
  readonly #hostFor: (plugin: AnyPlugin) => PluginHost
  readonly #made = new WeakMap<AnyPlugin, Map<string, NodeOperation>>()

  constructor(hostFor: (plugin: AnyPlugin) => PluginHost) {
    this.#hostFor = hostFor
  }

  bind(plugin: AnyPlugin, name: string): NodeOperation {
    let own = this.#made.get(plugin)
    if (!own) {
      own = new Map()
      this.#made.set(plugin, own)
    }
    let operation = own.get(name)
    if (!operation) {
      const make = plugin.nodeOperations?.[name]
      if (!make) throw new Error(`plugin "${plugin.name}" declares no node operation "${name}"`)
      operation = make(this.#hostFor(plugin))
      own.set(name, operation)
    }
    return operation
  }
}
