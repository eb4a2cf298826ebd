import { resolve, sep } from 'node:path'
import type { Logger } from '../observe/logger.ts'
import type { Counter, Family, MetricRegistry } from '../observe/metrics.ts'
import type { FailureReport } from '../plugin/run.ts'

/** Logs and counts phases of plugins that threw. */
export function phaseFailure(logger: Logger, metrics: MetricRegistry): FailureReport {
  const failures = failureCounter(metrics)
  return ({ instance, phase, error }, context) => {
    failures.labels(instance.plugin.name, phase).inc()
    logger.error(
      { plugin: instance.plugin.name, phase, route: context.route?.id, request: context.id, err: error },
      'a plugin failed',
    )
  }
}

/** The same for what plugins do outside of requests. */
export function backgroundFailure(
  logger: Logger,
  metrics: MetricRegistry,
): (plugin: string, error: unknown) => void {
  const failures = failureCounter(metrics)
  return (plugin, error) => {
    failures.labels(plugin, 'background').inc()
    logger.error({ plugin, err: error }, 'a plugin failed outside of a request')
  }
}

/** Where the product's plugins lie, in the sources and in the build. */
const IN_A_PLUGIN = /[/\\]plugins[/\\]([a-z][\w-]*)[/\\][^/\\]+\.[jt]s:\d/
const FRAME = /^\s+at /
const NODES_OWN_FRAME = /[ (]node:/

/** What failures of the system are counted as, whose stack does not say where they come from. */
const UNKNOWN_PLUGIN = 'unknown'

/**
 * The plugin in whose code an error arose that no phase or timer of the host caught: thrown from a callback, or a promise without a
 * catch. `unknown` for what the system refused (a file, a connection) without a word on who had asked: a stream or socket without a listener
 * for its errors has failed, and nothing else. `undefined` when nothing says that it is a plugin's. `ownPaths` are the folders of the user's plugins.
 */
export function pluginThatThrew(error: unknown, ownPaths: readonly string[] = []): string | undefined {
  const stack = error instanceof Error ? error.stack : undefined
  if (stack === undefined) return undefined
  return (
    IN_A_PLUGIN.exec(stack)?.[1] ??
    ownPlugin(stack, ownPaths) ??
    (isOfSystem(error as Error) ? UNKNOWN_PLUGIN : undefined)
  )
}

function ownPlugin(stack: string, paths: readonly string[]): string | undefined {
  for (const path of paths) {
    const prefix = resolve(path) + sep
    const at = stack.indexOf(prefix)
    const name = at < 0 ? undefined : /^[a-z][\w-]*(?=[/\\])/.exec(stack.slice(at + prefix.length))?.[0]
    if (name !== undefined) return name
  }
  return undefined
}

function isOfSystem(error: Error): boolean {
  const { syscall, stack = '' } = error as NodeJS.ErrnoException
  if (syscall === undefined) return false
  return stack.split('\n').every((line) => !FRAME.test(line) || NODES_OWN_FRAME.test(line))
}

function failureCounter(metrics: MetricRegistry): Family<Counter> {
  return metrics.counter({
    name: 'gatewright_plugin_failures_total',
    help: 'Phases of plugins that threw; `background` is what they did outside of requests',
    labels: ['plugin', 'phase'],
  })
}
