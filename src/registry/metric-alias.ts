import type { Counter, Family, Gauge, Histogram, MetricRegistry } from '../observe/metrics.ts'

/** `gatewright.registry.metrics_alias: autogen`: metrics by the names that dashboards of AutoGen's gateway ask for. */
const AUTOGEN_NAMES: Readonly<Record<string, string>> = {
  gatewright_registry_requests_total: 'autogen_requests_total',
  gatewright_registry_requests_failed_total: 'autogen_requests_failed_total',
  gatewright_registry_request_duration_seconds: 'autogen_request_duration_seconds',
  gatewright_registry_active_connections: 'autogen_active_connections',
  gatewright_registry_agents: 'autogen_agents_count',
}

/** What declares metrics; what the registry counts with. */
export type Declarations = Pick<MetricRegistry, 'counter' | 'gauge' | 'histogram' | 'beforeCollect'>

/** The same metrics; with the alias, those that have a second name are counted under both. */
export function declarations(metrics: MetricRegistry, alias: 'autogen' | undefined): Declarations {
  if (alias === undefined) return metrics
  const second = <O extends { readonly name: string }>(options: O): O | undefined => {
    const name = AUTOGEN_NAMES[options.name]
    return name === undefined ? undefined : { ...options, name }
  }
  return {
    counter: (options) => {
      const [own, other] = [metrics.counter(options), second(options)]
      return other ? both(own, metrics.counter(other), bothCounters) : own
    },
    gauge: (options) => {
      const [own, other] = [metrics.gauge(options), second(options)]
      return other ? both(own, metrics.gauge(other), bothGauges) : own
    },
    histogram: (options) => {
      const [own, other] = [metrics.histogram(options), second(options)]
      return other ? both(own, metrics.histogram(other), bothHistograms) : own
    },
    beforeCollect: (update) => metrics.beforeCollect(update),
  }
}

function both<S>(own: Family<S>, other: Family<S>, join: (one: S, two: S) => S): Family<S> {
  return {
    labels: (...values) => join(own.labels(...values), other.labels(...values)),
    remove: (matches) => {
      own.remove(matches)
      other.remove(matches)
    },
    get epoch() {
      return own.epoch
    },
    get overflows() {
      return own.overflows
    },
  }
}

function bothCounters(one: Counter, two: Counter): Counter {
  return {
    inc: (by) => {
      one.inc(by)
      two.inc(by)
    },
  }
}

function bothGauges(one: Gauge, two: Gauge): Gauge {
  return {
    ...bothCounters(one, two),
    set: (value) => {
      one.set(value)
      two.set(value)
    },
  }
}

function bothHistograms(one: Histogram, two: Histogram): Histogram {
  return {
    observe: (value) => {
      one.observe(value)
      two.observe(value)
    },
  }
}
