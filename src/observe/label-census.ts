/** What stands in a label whose own value found no room. */
export const OVERFLOW = 'overflow'

/** Which values each label of one metric has, and in how many series: what the cap on a label's values is counted with. */
export class LabelCensus {
  readonly #byLabel: readonly Map<string, number>[]
  readonly #maxValues: number

  constructor(labels: number, maxValues: number) {
    this.#byLabel = Array.from({ length: labels }, () => new Map<string, number>())
    this.#maxValues = maxValues
  }

  /** The values with `overflow` for each that is one too many of its label; the same array when all have room. */
  fit(values: readonly string[]): readonly string[] {
    let fitting: string[] | undefined
    for (let i = 0; i < values.length; i++) {
      if (this.#hasRoom(i, values[i]!)) continue
      fitting ??= [...values]
      fitting[i] = OVERFLOW
    }
    return fitting ?? values
  }

  add(values: readonly string[]): void {
    for (let i = 0; i < values.length; i++) {
      const counts = this.#byLabel[i]!
      counts.set(values[i]!, (counts.get(values[i]!) ?? 0) + 1)
    }
  }

  remove(values: readonly string[]): void {
    for (let i = 0; i < values.length; i++) {
      const counts = this.#byLabel[i]!
      const left = counts.get(values[i]!)! - 1
      if (left > 0) counts.set(values[i]!, left)
      else counts.delete(values[i]!)
    }
  }

  /** The values of one label that are somebody's: neither empty nor `overflow`. */
  *named(label: number): Iterable<string> {
    for (const value of this.#byLabel[label]!.keys()) if (value !== '' && value !== OVERFLOW) yield value
  }

  #hasRoom(label: number, value: string): boolean {
    const counts = this.#byLabel[label]!
    if (counts.has(value) || value === OVERFLOW) return true
    return counts.size - (counts.has(OVERFLOW) ? 1 : 0) < this.#maxValues
  }
}
