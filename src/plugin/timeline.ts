import type { Context } from './context/context.ts'
import type { TraceStep } from './trace.ts'

/** What is kept of a request that has ended. */
export interface TimelineRecord {
  readonly id: string
  /** Of the `X-Request-Id` that client or upstream saw. */
  readonly requestId: string | undefined
  readonly method: string
  /** Without the query, which may hold secrets. */
  readonly path: string
  readonly routeId: string | undefined
  readonly consumer: string | undefined
  readonly status: number
  readonly answeredBy: string | undefined
  readonly upstreamStatuses: string | undefined
  /** Unix time in ms. */
  readonly endedAtMs: number
  readonly totalMs: number
  readonly upstreamMs: number | undefined
  readonly steps: readonly TraceStep[]
}

/** The timelines of the newest requests, in a ring. */
export class Timeline {
  readonly #now: () => number
  #ring: (TimelineRecord | undefined)[] = []
  #next = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** How many requests are kept; 0 keeps none and lets go of what there is. */
  get capacity(): number {
    return this.#ring.length
  }

  resize(capacity: number): void {
    const kept = this.newest(capacity)
    this.#ring = new Array(capacity).fill(undefined)
    this.#next = 0
    for (const record of kept.reverse()) this.#add(record)
  }

  /** Takes a request that has ended; one without a trace is passed over. */
  record(context: Context): void {
    const { trace, stats } = context
    if (!trace || this.#ring.length === 0) return
    this.#add({
      id: context.id,
      requestId: context.response.headers.get('x-request-id') ?? context.headers.get('x-request-id'),
      method: context.method,
      path: context.path,
      routeId: context.route?.id,
      consumer: context.consumer?.name,
      status: context.response.status,
      answeredBy: trace.answeredBy,
      upstreamStatuses: context.upstreamStatuses,
      endedAtMs: this.#now(),
      totalMs: stats.totalMs,
      upstreamMs: stats.upstreamMs,
      steps: trace.steps,
    })
  }

  /** The newest one with that id, the gateway's own or its `X-Request-Id`. */
  find(id: string): TimelineRecord | undefined {
    return this.newest(this.capacity).find((record) => record.id === id || record.requestId === id)
  }

  /** Newest first. */
  newest(count: number): TimelineRecord[] {
    const { length } = this.#ring
    const records: TimelineRecord[] = []
    for (let back = 1; back <= length && records.length < count; back++) {
      const record = this.#ring[(this.#next - back + length) % length]
      if (!record) break
      records.push(record)
    }
    return records
  }

  #add(record: TimelineRecord): void {
    if (this.#ring.length === 0) return
    this.#ring[this.#next] = record
    this.#next = (this.#next + 1) % this.#ring.length
  }
}
