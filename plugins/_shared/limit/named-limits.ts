import { ExpiringMap } from './expiring-map.ts'

/** Keys remembered per limit, about 10 MB; beyond it the oldest key starts anew. */
export const MAX_KEYS = 65_536
/** Limits with live keys that a node remembers; there are hardly more than configured ones. */
const MAX_LIMITS = 65_536

interface Slot<State> {
  readonly state: State
  expiresAt: number
}

/**
 * The state of every limit of a node by its identity, see {@link limitId}. A limit that nobody asks for is forgotten when all it
 * knows has expired: there is no telling which process may still use it.
 */
export class NamedLimits<State> {
  readonly #slots = new ExpiringMap<Slot<State>>(MAX_LIMITS)
  readonly #make: () => State

  constructor(make: () => State) {
    this.#make = make
  }

  /** `lifeMs` is how long what is stored now will matter at most; `now` any clock that does not jump. */
  get(id: string, lifeMs: number, now: number): State {
    const expiresAt = now + lifeMs
    const known = this.#slots.get(id)
    if (known) {
      if (known.expiresAt < expiresAt) known.expiresAt = expiresAt
      return known.state
    }
    const state = this.#make()
    this.#slots.insert(id, { state, expiresAt }, now)
    return state
  }
}
