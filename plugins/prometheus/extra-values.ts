import { compileTemplate, type Template, type VariableSource } from '../../src/plugin/api.ts'

/** `[{name: "$variable"}]`, as the settings have it. */
export type ExtraLabels = readonly Readonly<Record<string, string>>[]

/** Longer values are cut: a client may choose them. */
const MAX_VALUE_LENGTH = 256

/** The values of the labels that the settings added, compiled once for all metrics. */
export class ExtraValues {
  readonly #templates: readonly Template[]
  /** From where to where the values of each metric stand among those of all. */
  readonly #ranges: ReadonlyMap<string, readonly [from: number, to: number]>

  private constructor(
    templates: readonly Template[],
    ranges: ReadonlyMap<string, readonly [from: number, to: number]>,
  ) {
    this.#templates = templates
    this.#ranges = ranges
  }

  /** `undefined` when no metric has any. */
  static compile(labels: Readonly<Record<string, ExtraLabels>>): ExtraValues | undefined {
    const templates: Template[] = []
    const ranges = new Map<string, readonly [number, number]>()
    for (const [metric, extras] of Object.entries(labels)) {
      const from = templates.length
      for (const extra of extras) templates.push(compileTemplate(Object.values(extra)[0]!))
      ranges.set(metric, [from, templates.length])
    }
    return templates.length === 0 ? undefined : new ExtraValues(templates, ranges)
  }

  /** Of one request, for all metrics. */
  read(source: VariableSource): readonly string[] {
    return this.#templates.map((template) => template.render(source).slice(0, MAX_VALUE_LENGTH))
  }

  /** The part of what {@link read} gave that belongs to one metric. */
  of(metric: string, values: readonly string[]): readonly string[] {
    return values.slice(...this.#ranges.get(metric)!)
  }
}
