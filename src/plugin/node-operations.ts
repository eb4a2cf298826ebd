import type { AnyPlugin, NodeOperation, PluginHost, WorkerOperation } from './definition.ts'

/** Where plugins' node-wide operations run: here, or in the process that owns the node's state. */
export interface NodeOperations {
  /** The plugin's operation of that name. Throws when it has none. */
  bind(plugin: AnyPlugin, name: string): NodeOperation
}

/** Runs plugins' operations in all processes that serve requests. */
export interface WorkerOperations {
  /** The plugin's operation of that name. Throws when it has none. */
  bind(plugin: AnyPlugin, name: string): WorkerOperation
}

/** Runs operations in this process. Their state is made at the first use and lives as long as the process. */
export class LocalOperations implements NodeOperations {
  readonly #field: 'nodeOperations' | 'workerOperations'
  readonly #hostFor: (plugin: AnyPlugin) => PluginHost
  readonly #made = new WeakMap<AnyPlugin, Map<string, NodeOperation>>()

  constructor(field: 'nodeOperations' | 'workerOperations', hostFor: (plugin: AnyPlugin) => PluginHost) {
    this.#field = field
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
      assertDeclared(plugin, this.#field, name)
      operation = plugin[this.#field]![name]!(this.#hostFor(plugin))
      own.set(name, operation)
    }
    return operation
  }
}

/** Throws when the plugin has no operation of that name. */
export function assertDeclared(
  plugin: AnyPlugin,
  field: 'nodeOperations' | 'workerOperations',
  name: string,
): void {
  if (plugin[field]?.[name]) return
  const kind = field === 'nodeOperations' ? 'node' : 'worker'
  throw new Error(`plugin "${plugin.name}" declares no ${kind} operation "${name}"`)
}

/** Where one process serves all requests. */
export function onlyHere(local: LocalOperations): WorkerOperations {
  return {
    bind: (plugin, name): WorkerOperation => {
      const operate = local.bind(plugin, name)
      return async (argument) => [await operate(argument)]
    },
  }
}
