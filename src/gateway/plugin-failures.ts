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

/** Where plugins lie, in the sources, in the build and beside a user's own settings. */
const IN_A_PLUGIN = /[/\\]plugins[/\\]([a-z][\w-]*)[/\\][^/\\]+\.[jt]s:\d/

/**
 * The plugin in whose code an error arose that no phase or timer of the host caught: thrown from a callback, or a promise without a
 * catch. `undefined` when nothing says that it is one's.
 */
export function pluginThatThrew(error: unknown): string | undefined {
  const stack = error instanceof Error ? error.stack : undefined
  return stack === undefined ? undefined : IN_A_PLUGIN.exec(stack)?.[1]
}

function failureCounter(metrics: MetricRegistry): Family<Counter> {
  return metrics.counter({
    name: 'gatewright_plugin_failures_total',
    help: 'Phases of plugins that threw; `background` is what they did outside of requests',
    labels: ['plugin', 'phase'],
  })
}
