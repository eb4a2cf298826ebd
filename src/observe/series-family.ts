import { Expiry } from './expiry.ts'
import { LabelCensus, OVERFLOW } from './label-census.ts'
import type { IsKnown, MetricOptions } from './metrics.ts'
import { byValues, createSeries, type HistogramOptions, type Series } from './series.ts'

export type SeriesKind = 'counter' | 'gauge' | 'histogram'

const DEFAULT_MAX_SERIES = 10_000
const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL_NAME = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/

/** The series of one metric by label values; never more than `maxSeries` and one for all that did not fit. */
export class SeriesFamily<S extends Series> {
  readonly kind: SeriesKind
  readonly options: MetricOptions | HistogramOptions
  readonly #series = new Map<string, S>()
  readonly #maxSeries: number
  readonly #census: LabelCensus
  readonly #expiry: Expiry | undefined
  /** Positions of the labels that name something that can be removed, with what kind of thing that is. */
  readonly #owners: readonly (readonly [label: number, owner: string])[]
  #sorted: readonly S[] | undefined = undefined
  #epoch = 0
  #overflows = 0

  constructor(kind: SeriesKind, options: MetricOptions | HistogramOptions) {
    checkNames(options)
    if ('buckets' in options) checkBuckets(options)
    const { labels, maxSeries = DEFAULT_MAX_SERIES, maxLabelValues = maxSeries, expireMs = 0 } = options
    this.kind = kind
    this.options = options
    this.#maxSeries = maxSeries
    this.#census = new LabelCensus(labels.length, maxLabelValues)
    this.#expiry = expireMs > 0 ? new Expiry(expireMs) : undefined
    this.#owners = Object.entries(options.owners ?? {}).map(([label, owner]) => [
      labels.indexOf(label),
      owner,
    ])
  }

  get epoch(): number {
    return this.#epoch
  }

  get overflows(): number {
    return this.#overflows
  }

  labels(...values: string[]): S {
    const { name, labels } = this.options
    if (values.length !== labels.length) {
      throw new TypeError(
        `metric "${name}" takes ${labels.length} label values (${labels.join(', ')}), got ${values.length}`,
      )
    }
    const key = seriesKey(values)
    return this.#series.get(key) ?? this.#place(key, values)
  }

  remove(matches: (values: readonly string[]) => boolean): void {
    this.#removeSeries(({ values }) => matches(values))
  }

  /** Removes the series whose owners are gone. */
  prune(isKnown: IsKnown): void {
    const gone = this.#owners.map(([label, owner]) => {
      const values = [...this.#census.named(label)].filter((value) => !isKnown(owner, value))
      return { label, values: new Set(values) }
    })
    if (gone.every(({ values }) => values.size === 0)) return
    this.remove((all) => gone.some(({ label, values }) => values.has(all[label]!)))
  }

  /** Removes the series that have not changed for `expireMs`. */
  expire(nowMs: number): void {
    const due = this.#expiry?.due(this.#series.values(), nowMs)
    if (due && due.size > 0) this.#removeSeries((series) => due.has(series))
  }

  /** All series by label values. */
  sorted(): readonly S[] {
    this.#sorted ??= [...this.#series.values()].sort(byValues)
    return this.#sorted
  }

  /** Throws when the metric was declared in another way before. */
  mustMatch(kind: SeriesKind, options: MetricOptions | HistogramOptions): void {
    if (shape(kind, options) === shape(this.kind, this.options)) return
    throw new TypeError(
      `metric "${options.name}" is already a ${shape(this.kind, this.options)}; it cannot be a ${shape(kind, options)} too`,
    )
  }

  /** Labels that are full give their value up first; only when the whole metric is full, the series gives up all of them. */
  #place(key: string, values: readonly string[]): S {
    const fitting = this.#census.fit(values)
    if (fitting === values && this.#series.size < this.#maxSeries) return this.#add(key, values)
    this.#overflows += 1
    const known = this.#series.get(seriesKey(fitting))
    if (known) return known
    if (this.#series.size < this.#maxSeries) return this.#add(seriesKey(fitting), fitting)
    return this.#overflowSeries()
  }

  /** Kept among the others, so that a series whose labels happen to be `overflow` is the same one and no line appears twice. */
  #overflowSeries(): S {
    const values = this.options.labels.map(() => OVERFLOW)
    const key = seriesKey(values)
    return this.#series.get(key) ?? this.#add(key, values)
  }

  #add(key: string, values: readonly string[]): S {
    const made = createSeries(this.options, values.map(ownCopy)) as S
    this.#series.set(key, made)
    this.#census.add(made.values)
    this.#sorted = undefined
    return made
  }

  #removeSeries(isMeant: (series: S) => boolean): void {
    const before = this.#series.size
    for (const [key, series] of this.#series) {
      if (!isMeant(series)) continue
      this.#series.delete(key)
      this.#census.remove(series.values)
    }
    if (this.#series.size === before) return
    this.#sorted = undefined
    this.#epoch += 1
  }
}

/** A piece of a longer text keeps the whole of it alive, such as a header that a client made long. */
function ownCopy(value: string): string {
  return Buffer.from(value, 'utf16le').toString('utf16le')
}

/** Every value with its length in front: no two lists of values share a key, whatever bytes they hold. */
function seriesKey(values: readonly string[]): string {
  let key = ''
  for (const value of values) key += `${value.length}:${value}`
  return key
}

function shape(kind: SeriesKind, options: MetricOptions | HistogramOptions): string {
  const buckets = 'buckets' in options ? ` with buckets ${options.buckets.join(' ')}` : ''
  return `${kind}{${options.labels.join(',')}}${buckets}`
}

function checkNames({ name, labels, owners = {} }: MetricOptions): void {
  if (!METRIC_NAME.test(name)) {
    throw new TypeError(`metric name ${JSON.stringify(name)} is not valid; use letters, digits, "_" and ":"`)
  }
  for (const label of labels) {
    if (LABEL_NAME.test(label)) continue
    throw new TypeError(
      `metric "${name}": label ${JSON.stringify(label)} is not valid; use letters, digits and "_"`,
    )
  }
  const stray = Object.keys(owners).find((label) => !labels.includes(label))
  if (stray !== undefined)
    throw new TypeError(`metric "${name}" has no label "${stray}" that could have an owner`)
}

function checkBuckets({ name, buckets }: HistogramOptions): void {
  const isRising = buckets.every((bound, i) => Number.isFinite(bound) && (i === 0 || bound > buckets[i - 1]!))
  if (buckets.length === 0 || !isRising) {
    throw new TypeError(
      `metric "${name}": buckets must be finite and rising, got ${JSON.stringify(buckets)}; +Inf is added`,
    )
  }
}
