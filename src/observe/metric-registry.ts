import { TimeSlices } from '../lib/time-slices.ts'
import { escapeHelp, sampleLine } from './exposition.ts'
import type {
  Counter,
  Family,
  Gauge,
  Histogram,
  IsKnown,
  MetricExpiries,
  MetricOptions,
  MetricOwners,
  MetricRegistry,
} from './metrics.ts'
import type { HistogramOptions, Series } from './series.ts'
import { SeriesFamily, type SeriesKind } from './series-family.ts'

export interface MetricRegistryOptions {
  /** Told of every updater that threw during an exposition; the others still run. Without it the throw reaches the scraper. */
  readonly onUpdateError?: (error: unknown) => void
  /** Monotonic, in ms; what series expire by. */
  readonly now?: () => number
}

/** Characters of the exposition that are handed on at once. */
const PIECE_LENGTH = 32 * 1024

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
  readonly #now: () => number

  constructor({ onUpdateError, now = () => performance.now() }: MetricRegistryOptions) {
    this.#onUpdateError = onUpdateError
    this.#now = now
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

  prune(isKnown: IsKnown): void {
    for (const family of this.#families.values()) family.prune(isKnown)
  }

  get owners(): MetricOwners {
    const declared = [...this.#families.values()].flatMap(({ options: { name, owners } }) =>
      owners ? [[name, owners] as const] : [],
    )
    return Object.fromEntries(declared)
  }

  get expiries(): MetricExpiries {
    const declared = [...this.#families.values()].flatMap(({ options: { name, expireMs = 0 } }) =>
      expireMs > 0 ? [[name, expireMs] as const] : [],
    )
    return Object.fromEntries(declared)
  }

  expose(): string {
    return [...this.#texts()].join('')
  }

  async *exposeInSlices(): AsyncGenerator<string, void, undefined> {
    const slices = new TimeSlices()
    let piece = ''
    for (const text of this.#texts()) {
      piece += text
      const pause = slices.pause()
      if (pause) await pause
      if (piece.length < PIECE_LENGTH) continue
      yield piece
      piece = ''
    }
    if (piece !== '') yield piece
  }

  /** Head by head and series by series. */
  *#texts(): Generator<string, void, undefined> {
    for (const update of this.#updates) this.#run(update)
    for (const name of [...this.#families.keys()].sort()) {
      const family = this.#families.get(name)!
      family.expire(this.#now())
      yield `# HELP ${name} ${escapeHelp(family.options.help)}\n# TYPE ${name} ${family.kind}\n`
      for (const series of family.sorted()) yield series.expose(name, sampleLine)
    }
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
