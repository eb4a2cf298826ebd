import type { Clock } from '../lib/clock.ts'
import type { Commit, LeaseRow, StoredRecord } from './storage-medium.ts'

interface Entry {
  row: LeaseRow
  readonly keys: Set<string>
  cancelTimer: () => void
}

/** Timers run on the monotonic clock; deadlines, which outlive the process, are told in wall-clock milliseconds since the epoch. */
export interface LeaseTime {
  readonly clock: Clock
  wallNowMs(): number
}

/** A lease whose end could not be written is tried again after this time. */
const RETRY_MS = 1000

/** Node's timers go off at once when they are asked for longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The live leases, the keys each holds, and the timers that end them. Follows commits; never writes by itself. */
export class LeaseTable {
  readonly #time: LeaseTime
  readonly #onDue: (row: LeaseRow) => Promise<void>
  readonly #entries = new Map<string, Entry>()
  readonly #leaseOfKey = new Map<string, string>()

  /** `onDue` is called when the time of a row is up and should end the lease unless it has a newer row; it never rejects. */
  constructor(time: LeaseTime, onDue: (row: LeaseRow) => Promise<void>) {
    this.#time = time
    this.#onDue = onDue
  }

  row(id: string): LeaseRow | undefined {
    return this.#entries.get(id)?.row
  }

  keysOf(id: string): Iterable<string> {
    return this.#entries.get(id)?.keys ?? []
  }

  /** Takes over what a medium held when it was opened. */
  load(rows: readonly LeaseRow[], records: readonly StoredRecord[]): void {
    for (const row of rows) this.#setRow(row.id, row)
    for (const record of records) this.#attach(record.key, record.leaseId)
  }

  apply(change: Commit): void {
    for (const [id, row] of change.leases) if (row) this.#setRow(id, row)
    for (const [key, record] of change.records) this.#attach(key, record?.leaseId)
    for (const [id, row] of change.leases) if (!row) this.#remove(id)
  }

  close(): void {
    for (const entry of this.#entries.values()) entry.cancelTimer()
    this.#entries.clear()
    this.#leaseOfKey.clear()
  }

  #setRow(id: string, row: LeaseRow): void {
    const entry = this.#entries.get(id) ?? { row, keys: new Set<string>(), cancelTimer: () => {} }
    entry.cancelTimer()
    entry.row = row
    this.#entries.set(id, entry)
    // A clock that was set back must not stretch a lease beyond its own length.
    this.#arm(entry, Math.min(Math.max(0, row.deadlineMs - this.#time.wallNowMs()), row.ttlSeconds * 1000))
  }

  #arm(entry: Entry, delayMs: number): void {
    const { row } = entry
    const timerMs = Math.min(delayMs, LONGEST_TIMER_MS)
    entry.cancelTimer = this.#time.clock.schedule(timerMs, () => {
      if (timerMs < delayMs) this.#arm(entry, delayMs - timerMs)
      else void this.#end(entry, row)
    })
  }

  async #end(entry: Entry, row: LeaseRow): Promise<void> {
    await this.#onDue(row)
    if (this.#entries.get(row.id) === entry && entry.row === row) this.#arm(entry, RETRY_MS)
  }

  #attach(key: string, leaseId: string | undefined): void {
    const before = this.#leaseOfKey.get(key)
    if (before === leaseId) return
    if (before !== undefined) this.#entries.get(before)?.keys.delete(key)
    const entry = leaseId === undefined ? undefined : this.#entries.get(leaseId)
    if (leaseId === undefined || !entry) {
      this.#leaseOfKey.delete(key)
      return
    }
    entry.keys.add(key)
    this.#leaseOfKey.set(key, leaseId)
  }

  #remove(id: string): void {
    this.#entries.get(id)?.cancelTimer()
    this.#entries.delete(id)
  }
}
