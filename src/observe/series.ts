import { labelText, numberText } from './exposition.ts'
import type { Counter, Gauge, Histogram, MetricOptions } from './metrics.ts'

export type HistogramOptions = MetricOptions & { readonly buckets: readonly number[] }
export type SampleLine = (name: string, labels: string, value: number) => string

/** One line (or, for a histogram, one block) of the exposition; the handle that callers keep. */
export interface Series {
  readonly values: readonly string[]
  /** Differs from what it was exactly when something was counted or set to another value meanwhile. */
  readonly mark: number
  expose(name: string, line: SampleLine): string
}

/** A series of the metric with these label values, all at zero. */
export function createSeries(options: MetricOptions | HistogramOptions, values: readonly string[]): Series {
  const text = labelText(options.labels, values)
  return 'buckets' in options
    ? new HistogramSeries(values, text, options.buckets)
    : new NumberSeries(values, text)
}

/** Orders series by their label values, so that two expositions of the same state are equal to the byte. */
export function byValues(a: Series, b: Series): number {
  for (let i = 0; i < a.values.length; i++) {
    if (a.values[i]! !== b.values[i]!) return a.values[i]! < b.values[i]! ? -1 : 1
  }
  return 0
}

class NumberSeries implements Series, Counter, Gauge {
  readonly values: readonly string[]
  readonly #labels: string
  #value = 0

  constructor(values: readonly string[], labels: string) {
    this.values = values
    this.#labels = labels
  }

  get mark(): number {
    return this.#value
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

  get mark(): number {
    return this.#counts.reduce((total, count) => total + count, 0)
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
