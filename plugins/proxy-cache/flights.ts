import type { Clock } from '../../src/plugin/api.ts'
import { ExpiringMap } from '../_shared/limit/expiring-map.ts'

/** What became of the request that others wait for. `late` is for a waiter whose time is over. */
export type Outcome = 'stored' | 'failed' | 'late'

/** How long requests do not wait for each other after an answer turned out not to be storable, or too slow. */
const UNSTORABLE_MS = 10_000
const MAX_UNSTORABLE = 10_000

/** A request under way to the upstream whose answer others wait for. */
export interface Flight {
  readonly id: string
  /** Resolves to `late` after `ms` at the latest. */
  wait(ms: number): Promise<Outcome>
}

/** Lets one request fetch what several want. Nobody waits for an answer of which it was found lately that it cannot be shared. */
export class Flights {
  readonly #clock: Clock
  readonly #flights = new Map<string, OpenFlight>()
  readonly #unstorable = new ExpiringMap<{ readonly expiresAt: number }>(MAX_UNSTORABLE)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many are under way. */
  get size(): number {
    return this.#flights.size
  }

  mayCollapse(id: string): boolean {
    const known = this.#unstorable.get(id)
    return known === undefined || known.expiresAt <= this.#clock.monotonic()
  }

  find(id: string): Flight | undefined {
    return this.#flights.get(id)
  }

  /** Must be settled, once. */
  begin(id: string): Flight {
    const flight = new OpenFlight(id)
    this.#flights.set(id, flight)
    return flight
  }

  /** Ends a flight; `unstorable` when there is no use in waiting for the next one of its kind either. Idempotent. */
  settle(flight: Flight, outcome: 'stored' | 'failed' | 'unstorable'): void {
    const open = this.#flights.get(flight.id)
    if (open !== flight) return
    this.#flights.delete(flight.id)
    const now = this.#clock.monotonic()
    if (outcome === 'unstorable') {
      this.#unstorable.insert(flight.id, { expiresAt: now + UNSTORABLE_MS }, now)
    }
    open.land(outcome === 'stored' ? 'stored' : 'failed')
  }
}

class OpenFlight implements Flight {
  readonly id: string
  readonly #waiting = new Map<(outcome: Outcome) => void, NodeJS.Timeout>()

  constructor(id: string) {
    this.id = id
  }

  wait(ms: number): Promise<Outcome> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(resolve)
        resolve('late')
      }, ms)
      this.#waiting.set(resolve, timer.unref())
    })
  }

  land(outcome: Outcome): void {
    for (const [resolve, timer] of this.#waiting) {
      clearTimeout(timer)
      resolve(outcome)
    }
    this.#waiting.clear()
  }
}
