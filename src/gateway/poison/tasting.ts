import type { Clock } from '../../lib/clock.ts'
import type { StoreEvent } from '../../store/config-store.ts'

/** A worker as far as it is told of the store. */
export interface Eater {
  /** The higher, the sooner it tastes: one that serves nobody before one that does. */
  readonly rank: number
  pushState(): void
  push(events: readonly StoreEvent[], revision: number): void
}

interface Portion {
  readonly events: readonly StoreEvent[]
  readonly revision: number
}

/** No taster takes so long to serve it, nor a process to start, unless the machine does; a worker that hangs is killed long before. */
const LONGEST_MS = 20_000
/** Events that are kept for those that wait; when there are more, they get the whole state instead. */
const MOST_HELD = 20_000

/**
 * Lets one worker taste what the store tells before the others are told: a configuration that kills the process that compiles it then kills
 * that one alone, at best the standby (reliability.md, C16). What it serves has its approval; when it ends before, the next one to come tastes.
 */
export class Tasting<E extends Eater> {
  readonly #clock: Clock
  readonly #eaters = new Set<E>()
  /** Have been told nothing yet: the revision that was the newest when they came. */
  readonly #hungry = new Map<E, number>()
  #taster: E | undefined
  #held: Portion[] = []
  #heldCount = 0
  /** When too much is held: once this revision has its approval, all others are told the state. */
  #stateAfter: number | undefined
  #newest = 0
  #approved = -1
  #hasState = false
  #cancelLimit: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  attach(eater: E): void {
    this.#eaters.add(eater)
    if (!this.#hasState) return
    if (this.#approved >= this.#newest && !this.#taster) eater.pushState()
    else {
      this.#hungry.set(eater, this.#newest)
      if (!this.#taster) this.#taste(eater)
    }
  }

  detach(eater: E): void {
    this.#eaters.delete(eater)
    this.#hungry.delete(eater)
    if (this.#taster === eater) {
      this.#taster = undefined
      const [next] = this.#hungry.keys()
      if (next) this.#taste(next)
    }
    if (this.#eaters.size === 0) this.#settle()
  }

  /** The whole state, of a store that was read for the first time, or that went back: nobody can go on with what it has. */
  changedAll(revision: number): void {
    const isFirst = !this.#hasState
    this.#hasState = true
    this.#newest = revision
    this.#approved = isFirst ? -1 : revision
    this.#settle()
    for (const eater of this.#eaters) eater.pushState()
  }

  changed(events: readonly StoreEvent[], revision: number): void {
    this.#newest = revision
    this.#hold({ events, revision })
    if (this.#taster) this.#taster.push(events, revision)
    else this.#tasteNext()
  }

  /** What a worker tells: its requests meet this revision. */
  applied(eater: E, revision: number): void {
    if (eater === this.#taster) this.#approve(revision)
  }

  #approve(revision: number): void {
    this.#approved = revision
    const fed = [...this.#eaters].filter((one) => one !== this.#taster && !this.#hungry.has(one))
    if (this.#stateAfter !== undefined && this.#stateAfter <= revision) {
      this.#stateAfter = undefined
      for (const eater of fed) eater.pushState()
    }
    while (this.#held[0] && this.#held[0].revision <= revision) {
      const { events, revision: of } = this.#held.shift()!
      this.#heldCount -= events.length
      for (const eater of fed) eater.push(events, of)
    }
    for (const [eater, since] of this.#hungry) {
      if (since > revision) continue
      this.#hungry.delete(eater)
      eater.pushState()
    }
    if (this.#held.length + this.#hungry.size === 0 && this.#stateAfter === undefined) this.#settle()
  }

  #hold(portion: Portion): void {
    if (this.#stateAfter !== undefined) return
    this.#held.push(portion)
    this.#heldCount += portion.events.length
    if (this.#heldCount <= MOST_HELD) return
    this.#held = []
    this.#heldCount = 0
    this.#stateAfter = portion.revision
  }

  /** After a taster has died, the next one is on its way: those that serve are not risked as long as it may come. */
  #tasteNext(): void {
    const isRecovering = this.#cancelLimit !== undefined
    if (isRecovering) return
    const [best] = [...this.#eaters].sort((a, b) => b.rank - a.rank)
    if (best) this.#taste(best)
  }

  #taste(eater: E): void {
    this.#taster = eater
    this.#cancelLimit ??= this.#clock.schedule(LONGEST_MS, () => this.#giveUp())
    if (this.#hungry.delete(eater) || this.#stateAfter !== undefined) eater.pushState()
    else for (const { events, revision } of this.#held) eater.push(events, revision)
  }

  #giveUp(): void {
    this.#cancelLimit = undefined
    if (this.#taster) this.#approve(this.#newest)
    else this.#tasteNext()
  }

  #settle(): void {
    this.#taster = undefined
    this.#held = []
    this.#heldCount = 0
    this.#stateAfter = undefined
    this.#hungry.clear()
    this.#cancelLimit?.()
    this.#cancelLimit = undefined
  }
}
