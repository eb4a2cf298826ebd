/** Series of the process, for Prometheus. Handles are made once and kept by whoever counts; counting touches one number. */
export interface Counter {
  inc(by?: number): void
}

export interface Gauge {
  set(value: number): void
  inc(by?: number): void
}

export interface Histogram {
  observe(value: number): void
}

/** A metric with labels: `labels(...)` finds or makes the series; keep the handle instead of asking per request where you can. */
export interface Family<Series> {
  labels(...values: string[]): Series
  /** Removes the series for which `matches` is true; their handles keep working but are no longer shown. */
  remove(matches: (values: readonly string[]) => boolean): void
}

export interface MetricOptions {
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  /** Most series this family may hold; further ones share one series whose label values are all `overflow`. Default 10,000. */
  readonly maxSeries?: number
}

export interface MetricRegistry {
  counter(options: MetricOptions): Family<Counter>
  gauge(options: MetricOptions): Family<Gauge>
  histogram(options: MetricOptions & { readonly buckets: readonly number[] }): Family<Histogram>
  /** Runs before each exposition, to set gauges from their source. */
  beforeCollect(update: () => void): void
  /** Prometheus text format 0.0.4. */
  expose(): string
}
