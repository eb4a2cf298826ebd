import type { Link } from '../lifecycle/workers/link.ts'
import type { AnyPlugin, NodeOperation } from '../plugin/definition.ts'
import { assertDeclared, type NodeOperations } from '../plugin/node-operations.ts'

type Call = readonly [plugin: string, operation: string, argument: unknown]

const TOPIC = 'node'

/** In the primary process: runs the node-wide operations that a worker asks for. */
export function answerNodeOperations(
  link: Link,
  operations: NodeOperations,
  find: (plugin: string) => AnyPlugin | undefined,
): void {
  link.on(TOPIC, ([name, operation, argument]: Call) => {
    const plugin = find(name)
    if (!plugin) throw new Error(`plugin "${name}" is not there any more`)
    return operations.bind(plugin, operation)(argument as never)
  })
}

/**
 * In a worker: has them run by the primary; those of one turn of the event loop go together. Those of plugins that the primary does not know run
 * in this process.
 */
export function relayedNodeOperations(
  link: Link,
  local: NodeOperations,
  isLocal: (plugin: string) => boolean,
): NodeOperations {
  return {
    bind: (plugin, name): NodeOperation => {
      if (isLocal(plugin.name)) return local.bind(plugin, name)
      assertDeclared(plugin, 'nodeOperations', name)
      return (argument) => link.ask(TOPIC, [plugin.name, name, argument] satisfies Call)
    },
  }
}
