import type { Beat } from './heartbeats.ts'
import type { Load } from './records.ts'

/** A rate is told of at least so many requests. */
const LEAST_REQUESTS = 20

/** From the running totals that a node tells with each heartbeat to the rate of errors among the newest of them. */
export class RequestWindow {
  #processed = 0
  #failed = 0
  #requests = 0
  #errors = 0
  #rate: number
  #last: Load | undefined
  /** Not before the first totals of a node that was known before: what they tell happened before, and may be long ago. */
  #isCounting: boolean

  /** `known` is what is known of the node's load; absent for one that is new. */
  constructor(known: Load | undefined) {
    this.#last = known
    this.#rate = known?.error_rate ?? 0
    this.#isCounting = known === undefined
  }

  /** The load that these figures and those before make; `undefined` while the node never told any. */
  load(metrics: Beat['metrics']): Load | undefined {
    if (!metrics) return this.#last
    const { messages_processed, messages_failed } = metrics
    if (messages_processed !== undefined || messages_failed !== undefined)
      this.#count(messages_processed ?? this.#processed, messages_failed ?? this.#failed)
    this.#last = {
      cpu_usage: metrics.cpu_usage ?? this.#last?.cpu_usage ?? 0,
      memory_usage: metrics.memory_usage ?? this.#last?.memory_usage ?? 0,
      average_processing_time: metrics.average_processing_time ?? this.#last?.average_processing_time ?? 0,
      error_rate: this.#rate,
    }
    return this.#last
  }

  #count(processed: number, failed: number): void {
    // Lower than before: the node began anew.
    const isAnew = processed < this.#processed || failed < this.#failed
    if (this.#isCounting) {
      this.#requests += processed - (isAnew ? 0 : this.#processed)
      this.#errors += failed - (isAnew ? 0 : this.#failed)
    }
    this.#isCounting = true
    this.#processed = processed
    this.#failed = failed
    if (this.#requests < LEAST_REQUESTS) return
    this.#rate = Math.min(1, this.#errors / this.#requests)
    this.#requests = 0
    this.#errors = 0
  }
}
