import type { Clock } from '../lib/clock.ts'
import type { Serving } from './entries.ts'

/**
 * Agents that were gone when the store came back: emptied, restored, or away for longer than their leases. They serve on for one
 * more time-to-live, in which they register again, so that the store's troubles are not the traffic's.
 */
export class Lingering {
  readonly #clock: Clock
  readonly #onEnd: (types: ReadonlySet<string>) => void
  readonly #kept = new Map<string, { readonly serving: Serving; readonly cancel: () => void }>()

  /** `onEnd` is told of the type of each one whose time is over. */
  constructor(clock: Clock, onEnd: (types: ReadonlySet<string>) => void) {
    this.#clock = clock
    this.#onEnd = onEnd
  }

  keep(id: string, serving: Serving): void {
    this.forget(id)
    const cancel = this.#clock.schedule(serving.node.record.lease_ttl_s * 1000, () => {
      this.#kept.delete(id)
      this.#onEnd(new Set([serving.agent.type]))
    })
    this.#kept.set(id, { serving, cancel })
  }

  /** It is there again, or is not to come back. */
  forget(id: string): void {
    this.#kept.get(id)?.cancel()
    this.#kept.delete(id)
  }

  *ofType(type: string): Iterable<Serving> {
    for (const { serving } of this.#kept.values()) if (serving.agent.type === type) yield serving
  }

  close(): void {
    for (const { cancel } of this.#kept.values()) cancel()
    this.#kept.clear()
  }
}
