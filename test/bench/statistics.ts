/** The middle value; the upper one of two. Throws on an empty list, which would be a bench that measured nothing. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value below which that fraction of the list lies, without interpolation. */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))]
  if (value === undefined) throw new Error('no values were measured')
  return value
}

/** A copy in random order: what runs first or last in a round must not always be the same. */
export function shuffled<T>(items: readonly T[]): T[] {
  const copy = [...items]
  for (let last = copy.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1))
    ;[copy[last], copy[other]] = [copy[other]!, copy[last]!]
  }
  return copy
}

/** Rows as columns of equal width, the first left-aligned and all others right-aligned. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join('  ')
  return rows.map(line).join('\n')
}
