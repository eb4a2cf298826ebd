/** One metric of an exposition: its head and its sample lines, by what stands before their values. */
interface MergedFamily {
  readonly head: string
  readonly samples: Map<string, number>
}

/**
 * Adds up what several processes expose (Prometheus text format 0.0.4, as the metric registry writes it): counters, and histograms by their
 * buckets, are sums; so are gauges, which count what each process holds.
 */
export class MergedExposition {
  readonly #families = new Map<string, MergedFamily>()

  /** `isOver`: of a process that has ended; what it held it holds no more, what it counted stays counted. */
  add(text: string, isOver = false): void {
    let family: MergedFamily | undefined
    let help = ''
    for (const line of text.split('\n')) {
      if (line.startsWith('# HELP ')) help = line
      else if (line.startsWith('# TYPE ')) family = this.#family(help, line, isOver)
      else if (family && line !== '') addSample(family, line)
    }
  }

  /** Takes series away; `series` is what stands before the value: `name{label="value"}`. */
  keepOnly(isKept: (series: string) => boolean): void {
    for (const { samples } of this.#families.values()) {
      for (const series of samples.keys()) if (!isKept(series)) samples.delete(series)
    }
  }

  expose(): string {
    const names = [...this.#families.keys()].sort()
    return names.map((name) => exposeFamily(this.#families.get(name)!)).join('')
  }

  #family(help: string, type: string, isOver: boolean): MergedFamily | undefined {
    const [, , name = '', kind] = type.split(' ')
    if (isOver && kind === 'gauge') return undefined
    let family = this.#families.get(name)
    if (!family) {
      family = { head: `${help}\n${type}\n`, samples: new Map() }
      this.#families.set(name, family)
    }
    return family
  }
}

function addSample({ samples }: MergedFamily, line: string): void {
  const end = line.lastIndexOf(' ')
  const series = line.slice(0, end)
  samples.set(series, (samples.get(series) ?? 0) + numberOf(line.slice(end + 1)))
}

function exposeFamily({ head, samples }: MergedFamily): string {
  let text = head
  for (const [series, value] of samples) text += `${series} ${textOf(value)}\n`
  return text
}

function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text)
}

function textOf(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}
