import type { LogEntry } from './format.ts'

/** As APISIX sends a batch: one object when batches hold one entry, else a list (contract §7, BATCH). */
export function encodeBatch(entries: readonly unknown[], batchMaxSize: number): string {
  return JSON.stringify(batchMaxSize === 1 ? entries[0] : entries)
}

/** Bytes that an entry keeps, roughly: its texts. Numbers and structure are small beside them. */
export function weigh(entry: LogEntry): number {
  let bytes = 0
  for (const value of Object.values(entry)) {
    if (typeof value === 'string') bytes += value.length
    else if (typeof value === 'object' && value !== null) bytes += weigh(value as LogEntry)
  }
  return bytes
}
