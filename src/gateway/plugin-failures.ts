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
    failures.labels(plugin, 'timer').inc()
    logger.error({ plugin, err: error }, 'a timer of a plugin failed')
  }
}

function failureCounter(metrics: MetricRegistry): Family<Counter> {
  return metrics.counter({
    name: 'gatewright_plugin_failures_total',
    help: 'Phases and timers of plugins that threw',
    labels: ['plugin', 'phase'],
  })
}
