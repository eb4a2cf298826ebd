import type { MetricRegistry } from '../observe/metrics.ts'

/** What plugins of a worker see: they count here, and whoever of them shows the metrics shows those of the whole node. */
export function nodeMetrics(own: MetricRegistry, exposition: () => Promise<string>): MetricRegistry {
  return {
    counter: (options) => own.counter(options),
    gauge: (options) => own.gauge(options),
    histogram: (options) => own.histogram(options),
    beforeCollect: (update) => own.beforeCollect(update),
    prune: (isKnown) => own.prune(isKnown),
    get owners() {
      return own.owners
    },
    get expiries() {
      return own.expiries
    },
    expose: () => own.expose(),
    async *exposeInSlices() {
      yield await exposition()
    },
  }
}
