import { type CheckTools, ConfigError, type InstanceHost, type PluginInstance } from '../../src/plugin/api.ts'

const LEAST_CODE = 200
const GREATEST_CODE = 599

/** One kind of action, by the name that stands first in it. */
interface ActionKind {
  /** What is wrong with the configuration, in the words of contract §3.1. */
  check(config: unknown, tools: CheckTools): string | undefined
  compile(config: unknown, host: InstanceHost, place: string): PluginInstance
}

const ACTIONS: ReadonlyMap<unknown, ActionKind> = new Map<unknown, ActionKind>([
  ['return', { check: checkReturn, compile: compileReturn }],
  ['limit-count', ofPlugin('limit-count')],
  ['limit-conn', ofPlugin('limit-conn')],
])

/** Throws {@link ConfigError} with the contract's text. */
export function checkAction([name, config = {}]: readonly unknown[], tools: CheckTools): void {
  const kind = ACTIONS.get(name)
  if (!kind) throw new ConfigError(`unsupported action: ${String(name)}`)
  const problem = kind.check(config, tools)
  if (problem !== undefined) {
    throw new ConfigError(`failed to validate the '${String(name)}' action: ${problem}`)
  }
}

/** The action of a configuration that {@link checkAction} has let pass. */
export function compileAction(
  [name, config = {}]: readonly unknown[],
  host: InstanceHost,
  place: string,
): PluginInstance {
  return ACTIONS.get(name)!.compile(config, host, place)
}

function ofPlugin(plugin: string): ActionKind {
  return {
    check: (config, tools) =>
      tools.check(plugin, config)?.replace(`failed to check the configuration of plugin ${plugin} err: `, ''),
    compile: (config, host, place) => {
      const instance = host.nested(plugin, config, place)
      return {
        ...instance,
        access(context) {
          // Run as an action it is not run again in the chain (contract §6).
          context.skipPlugin(plugin)
          return instance.access?.(context)
        },
      }
    },
  }
}

function checkReturn(config: unknown): string | undefined {
  if (config === null || typeof config !== 'object')
    return `wrong type: expected object, got ${typeof config}`
  const { code } = config as { code?: unknown }
  if (code === undefined) return 'property "code" is required'
  const problem = checkCode(code)
  return problem && `property "code" validation failed: ${problem}`
}

function checkCode(code: unknown): string | undefined {
  if (!Number.isInteger(code)) return `wrong type: expected integer, got ${typeof code}`
  if ((code as number) < LEAST_CODE) return `expected ${code} to be at least ${LEAST_CODE}`
  return (code as number) > GREATEST_CODE ? `expected ${code} to be at most ${GREATEST_CODE}` : undefined
}

function compileReturn(config: unknown): PluginInstance {
  const { code: status } = config as { code: number }
  return { access: () => ({ status, body: { error_msg: 'rejected by workflow' } }) }
}
