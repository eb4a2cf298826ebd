import type { SnapshotSource } from '../../http/handle.ts'
import type { Link } from '../../lifecycle/workers/link.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'

/** What a worker says before it does something that may be the last thing it does. */
export type Word =
  | { readonly compiles: string }
  /** Everything that was to be compiled has been. */
  | { readonly compiles: null }
  /** The id of the route that a request is for. */
  | { readonly route: string }

const TOPIC = 'word'
const CAREFUL = 'careful'

/** In the primary process. */
export function hearWords(link: Link, hear: (word: Word) => void): void {
  link.on(TOPIC, hear)
}

/** Asks a worker to say what it does for so long. */
export function askForWords(link: Link, forMs: number): void {
  link.tellAtOnce(CAREFUL, forMs)
}

/** In a worker: says what it does while it is asked to, and is in nobody's way otherwise. */
export class LastWords {
  readonly #link: Link
  readonly #nowMs: () => number
  #untilMs: number
  #route: string | undefined

  /** `forMs` as {@link askForWords}. */
  constructor(link: Link, forMs: number, nowMs: () => number = () => performance.now()) {
    this.#link = link
    this.#nowMs = nowMs
    this.#untilMs = forMs > 0 ? nowMs() + forMs : 0
    link.on(CAREFUL, (longerMs: number) => {
      this.#untilMs = nowMs() + longerMs
    })
  }

  readonly compiling = (key: string): void => {
    if (this.#isAsked) this.#say({ compiles: key })
  }

  compiled(): void {
    if (this.#isAsked) this.#say({ compiles: null })
  }

  /** The same snapshots; while words are asked for, those that tell which route a request is for. */
  watched(source: SnapshotSource): SnapshotSource {
    const watched = (snapshot: Snapshot) => (this.#isAsked ? this.#watch(snapshot) : snapshot)
    return {
      get current() {
        return watched(source.current)
      },
      pin: () => source.pin(),
    }
  }

  #watch(snapshot: Snapshot): Snapshot {
    return {
      ...snapshot,
      match: (request) => {
        const plan = snapshot.match(request)
        const route = plan?.route.id
        // Said again only when another one was said in between.
        if (route !== undefined && route !== this.#route) this.#say({ route })
        this.#route = route
        return plan
      },
    }
  }

  get #isAsked(): boolean {
    if (this.#untilMs === 0) return false
    if (this.#nowMs() < this.#untilMs) return true
    this.#untilMs = 0
    return false
  }

  #say(word: Word): void {
    this.#link.tellAtOnce(TOPIC, word)
  }
}
