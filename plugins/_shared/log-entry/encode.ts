/** As APISIX sends a batch: one object when batches hold one entry, else a list (contract §7, BATCH). */
export function encodeBatch(entries: readonly unknown[], batchMaxSize: number): string {
  return JSON.stringify(batchMaxSize === 1 ? entries[0] : entries)
}

/** Bytes that an entry keeps, roughly: its texts. Numbers and structure are small beside them. */
export function weigh(entry: unknown): number {
  if (typeof entry === 'string') return entry.length
  if (typeof entry !== 'object' || entry === null) return 0
  let bytes = 0
  for (const value of Object.values(entry)) bytes += weigh(value)
  return bytes
}
