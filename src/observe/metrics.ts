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
  /** Grows whenever series were removed: whoever keeps handles over that asks for them anew, lest it counts what nobody sees. */
  readonly epoch: number
  /** How often `labels` gave a shared series because there was no room for one of its own. */
  readonly overflows: number
}

/** Of each metric by its name, those labels that name something that can be removed, and what kind of thing. */
export type MetricOwners = Readonly<Record<string, Readonly<Record<string, string>>>>

/** Of each metric whose series expire, after how many ms without a change. */
export type MetricExpiries = Readonly<Record<string, number>>

/** Whether a thing that labels name is still there: `isKnown('routes', 'r1')`. */
export type IsKnown = (owner: string, value: string) => boolean

export interface MetricOptions {
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  /** Most series this family may hold; further ones share one series whose label values are all `overflow`. Default 10,000. */
  readonly maxSeries?: number
  /** Most values that any one label may have; a further one is shown as `overflow`, beside the other labels as they are. Default: `maxSeries`. */
  readonly maxLabelValues?: number
  /** Labels that name something that can be removed, and what kind of thing: `{ route: 'routes' }`. Their series go with it. */
  readonly owners?: Readonly<Record<string, string>>
  /** A series that has not changed for so long is removed when the metrics are next read. Default 0: never. */
  readonly expireMs?: number
}

export interface MetricRegistry {
  counter(options: MetricOptions): Family<Counter>
  gauge(options: MetricOptions): Family<Gauge>
  histogram(options: MetricOptions & { readonly buckets: readonly number[] }): Family<Histogram>
  /** Runs before each exposition, to set gauges from their source. */
  beforeCollect(update: () => void): void
  /** Removes the series whose labels name what is not there any more; labels without an owner, empty and `overflow` values stay. */
  prune(isKnown: IsKnown): void
  /** Of those metrics that were declared with any. */
  readonly owners: MetricOwners
  /** Of those metrics that were declared with `expireMs`. */
  readonly expiries: MetricExpiries
  /** Prometheus text format 0.0.4. */
  expose(): string
  /** The same in pieces, between which requests get their turn: 10,000 histograms are 180,000 lines. */
  exposeInSlices(): AsyncGenerator<string, void, undefined>
}
