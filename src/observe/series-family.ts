import { labelText, numberText } from './exposition.ts'
import type { Counter, Gauge, Histogram, MetricOptions } from './metrics.ts'

export type SeriesKind = 'counter' | 'gauge' | 'histogram'
export type HistogramOptions = MetricOptions & { readonly buckets: readonly number[] }
export type SampleLine = (name: string, labels: string, value: number) => string

/** One line (or, for a histogram, one block) of the exposition; the handle that callers keep. */
export interface Series {
  readonly values: readonly string[]
  expose(name: string, line: SampleLine): string
}

const DEFAULT_MAX_SERIES = 10_000
const OVERFLOW = 'overflow'
const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL_NAME = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/

/** The series of one metric by label values; never more than `maxSeries` and one for all that did not fit. */
export class SeriesFamily<S extends Series> {
  readonly kind: SeriesKind
  readonly options: MetricOptions | HistogramOptions
  readonly #series = new Map<string, S>()
  readonly #maxSeries: number
  #sorted: readonly S[] | undefined = undefined

  constructor(kind: SeriesKind, options: MetricOptions | HistogramOptions) {
    checkNames(options)
    if ('buckets' in options) checkBuckets(options)
    this.kind = kind
    this.options = options
    this.#maxSeries = options.maxSeries ?? DEFAULT_MAX_SERIES
  }

  labels(...values: string[]): S {
    const { name, labels } = this.options
    if (values.length !== labels.length) {
      throw new TypeError(
        `metric "${name}" takes ${labels.length} label values (${labels.join(', ')}), got ${values.length}`,
      )
    }
    const key = seriesKey(values)
    const known = this.#series.get(key)
    if (known) return known
    if (this.#series.size >= this.#maxSeries) return this.#overflowSeries()
    return this.#add(key, values)
  }

  remove(matches: (values: readonly string[]) => boolean): void {
    for (const [key, series] of this.#series) {
      if (matches(series.values)) this.#series.delete(key)
    }
    this.#sorted = undefined
  }

  /** All series by label values, so that two expositions of the same state are equal to the byte. */
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

  /** Kept among the others, so that a series whose labels happen to be `overflow` is the same one and no line appears twice. */
  #overflowSeries(): S {
    const values = this.options.labels.map(() => OVERFLOW)
    const key = seriesKey(values)
    return this.#series.get(key) ?? this.#add(key, values)
  }

  #add(key: string, values: readonly string[]): S {
    const made = this.#make(values)
    this.#series.set(key, made)
    this.#sorted = undefined
    return made
  }

  #make(values: readonly string[]): S {
    const text = labelText(this.options.labels, values)
    const made =
      'buckets' in this.options
        ? new HistogramSeries(values, text, this.options.buckets)
        : new NumberSeries(values, text)
    return made as unknown as S
  }
}

class NumberSeries implements Series, Counter, Gauge {
  readonly values: readonly string[]
  readonly #labels: string
  #value = 0

  constructor(values: readonly string[], labels: string) {
    this.values = values
    this.#labels = labels
  }

  inc(by = 1): void {
    this.#value += by
  }

  set(value: number): void {
    this.#value = value
  }

  expose(name: string, line: SampleLine): string {
    return line(name, this.#labels, this.#value)
  }
}

class HistogramSeries implements Series, Histogram {
  readonly values: readonly string[]
  readonly #labels: string
  readonly #bounds: readonly number[]
  /** Per bucket, not cumulative: observing touches one cell. The last cell is `+Inf`. */
  readonly #counts: Float64Array
  #sum = 0

  constructor(values: readonly string[], labels: string, bounds: readonly number[]) {
    this.values = values
    this.#labels = labels
    this.#bounds = bounds
    this.#counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    const bounds = this.#bounds
    let i = 0
    while (i < bounds.length && value > bounds[i]!) i++
    this.#counts[i]! += 1
    this.#sum += value
  }

  expose(name: string, line: SampleLine): string {
    const before = this.#labels === '' ? '' : `${this.#labels},`
    let text = ''
    let total = 0
    for (let i = 0; i < this.#counts.length; i++) {
      total += this.#counts[i]!
      const bound = this.#bounds[i] ?? Number.POSITIVE_INFINITY
      text += line(`${name}_bucket`, `${before}le="${numberText(bound)}"`, total)
    }
    return text + line(`${name}_sum`, this.#labels, this.#sum) + line(`${name}_count`, this.#labels, total)
  }
}

/** Every value with its length in front: no two lists of values share a key, whatever bytes they hold. */
function seriesKey(values: readonly string[]): string {
  let key = ''
  for (const value of values) key += `${value.length}:${value}`
  return key
}

function byValues(a: Series, b: Series): number {
  for (let i = 0; i < a.values.length; i++) {
    if (a.values[i]! !== b.values[i]!) return a.values[i]! < b.values[i]! ? -1 : 1
  }
  return 0
}

function shape(kind: SeriesKind, options: MetricOptions | HistogramOptions): string {
  const buckets = 'buckets' in options ? ` with buckets ${options.buckets.join(' ')}` : ''
  return `${kind}{${options.labels.join(',')}}${buckets}`
}

function checkNames({ name, labels }: MetricOptions): void {
  if (!METRIC_NAME.test(name)) {
    throw new TypeError(`metric name ${JSON.stringify(name)} is not valid; use letters, digits, "_" and ":"`)
  }
  for (const label of labels) {
    if (LABEL_NAME.test(label)) continue
    throw new TypeError(
      `metric "${name}": label ${JSON.stringify(label)} is not valid; use letters, digits and "_"`,
    )
  }
}

function checkBuckets({ name, buckets }: HistogramOptions): void {
  const isRising = buckets.every((bound, i) => Number.isFinite(bound) && (i === 0 || bound > buckets[i - 1]!))
  if (buckets.length === 0 || !isRising) {
    throw new TypeError(
      `metric "${name}": buckets must be finite and rising, got ${JSON.stringify(buckets)}; +Inf is added`,
    )
  }
}
