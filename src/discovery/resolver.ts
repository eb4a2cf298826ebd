import type { Watch } from './discoverer.ts'
import type { LookUp } from './look-up.ts'
import { type Loaded, RefreshedValues, type RefreshListener, type RefreshOptions } from './refreshed.ts'

/** What a name stands for at the moment. */
export interface NameAnswer {
  /** At least one, sorted, all of one family. */
  readonly addresses: readonly string[]
  /** One more at each refresh: whoever wants one address takes the one at this place, wrapping, so that over time all are used. */
  readonly turn: number
}

/** Names of nodes, each kept fresh in the background for as long as anyone watches it, and looked up once whoever asks. */
export class NameResolver {
  readonly #answers: RefreshedValues<NameAnswer>
  readonly #lookUp: LookUp
  readonly #random: () => number

  constructor(lookUp: LookUp, options: RefreshOptions) {
    this.#lookUp = lookUp
    this.#random = options.random
    this.#answers = new RefreshedValues(options)
  }

  /** Names that are watched. */
  get size(): number {
    return this.#answers.size
  }

  /** Tells the listener what is known already before it returns. Letter case of the name does not matter. */
  watch(name: string, listener: RefreshListener<NameAnswer>): Watch {
    const key = name.toLowerCase()
    return this.#answers.watch(key, (previous) => this.#load(key, previous), listener)
  }

  #load(name: string, previous: NameAnswer | undefined): Loaded<NameAnswer> | Promise<Loaded<NameAnswer>> {
    const found = this.#lookUp(name)
    const take = ({ value, ttlMs }: Loaded<readonly string[]>): Loaded<NameAnswer> => {
      const turn = previous ? previous.turn + 1 : Math.floor(this.#random() * value.length)
      return { value: { addresses: value, turn }, ttlMs }
    }
    return found instanceof Promise ? found.then(take) : take(found)
  }
}
