import { escapeHelp, sampleLine } from './exposition.ts'
import type { Counter, Family, Gauge, Histogram, MetricOptions, MetricRegistry } from './metrics.ts'
import { type HistogramOptions, type Series, SeriesFamily, type SeriesKind } from './series-family.ts'

export interface MetricRegistryOptions {
  /** Told of every updater that threw during an exposition; the others still run. Without it the throw reaches the scraper. */
  readonly onUpdateError?: (error: unknown) => void
}

/**
 * The process's metrics. Asking twice for the same metric gives the same family, so that whoever counts needs no owner; asking
 * for the same name with another type, labels or buckets throws.
 */
export function createMetricRegistry(options: MetricRegistryOptions = {}): MetricRegistry {
  return new Registry(options)
}

class Registry implements MetricRegistry {
  readonly #families = new Map<string, SeriesFamily<Series>>()
  readonly #updates: (() => void)[] = []
  readonly #onUpdateError: ((error: unknown) => void) | undefined

  constructor(options: MetricRegistryOptions) {
    this.#onUpdateError = options.onUpdateError
  }

  counter(options: MetricOptions): Family<Counter> {
    return this.#family('counter', options) as unknown as Family<Counter>
  }

  gauge(options: MetricOptions): Family<Gauge> {
    return this.#family('gauge', options) as unknown as Family<Gauge>
  }

  histogram(options: HistogramOptions): Family<Histogram> {
    return this.#family('histogram', options) as unknown as Family<Histogram>
  }

  beforeCollect(update: () => void): void {
    this.#updates.push(update)
  }

  expose(): string {
    for (const update of this.#updates) this.#run(update)
    const names = [...this.#families.keys()].sort()
    return names.map((name) => exposeFamily(this.#families.get(name)!)).join('')
  }

  #run(update: () => void): void {
    try {
      update()
    } catch (error) {
      if (!this.#onUpdateError) throw error
      this.#onUpdateError(error)
    }
  }

  #family(kind: SeriesKind, options: MetricOptions | HistogramOptions): SeriesFamily<Series> {
    const known = this.#families.get(options.name)
    if (known) {
      known.mustMatch(kind, options)
      return known
    }
    const family = new SeriesFamily(kind, options)
    this.#families.set(options.name, family)
    return family
  }
}

function exposeFamily(family: SeriesFamily<Series>): string {
  const { name } = family.options
  let text = `# HELP ${name} ${escapeHelp(family.options.help)}\n# TYPE ${name} ${family.kind}\n`
  for (const series of family.sorted()) text += series.expose(name, sampleLine)
  return text
}
