import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../lib/clock.ts'
import type { Environment } from '../lib/env-variables.ts'
import type { Link } from '../lifecycle/workers/link.ts'
import { readEnv } from '../secret/read-env.ts'
import { parseReference } from '../secret/reference.ts'
import { NOT_FETCHED, type SecretAnswer } from '../secret/secret-source.ts'
import type { SecretKeeper } from '../snapshot/secret-links.ts'
import { SECRET_TOPIC, type SecretNews, type WantedSecrets } from './secret-feed.ts'

export interface RelayedSecretsOptions {
  readonly env: Environment
  /** Its timers must not keep the process alive: `BACKGROUND_CLOCK`. */
  readonly clock: Clock
}

/** A reference that the primary was asked about. */
interface Known {
  /** Absent until the primary has answered. */
  answer: SecretAnswer | undefined
  /** How often resources use it. */
  uses: number
  /** Whether it was read before there was an answer. */
  wasMissed: boolean
}

const NO_REFERENCE: SecretAnswer = { ok: false, reason: 'this is no reference to a secret' }
/** As long as a round of the publisher waits. */
const UNASKED_WAIT_MS = 2000
/** What was asked for and is used by no resource after this time is forgotten. */
const UNUSED_MS = 60_000

/** In a worker: secrets as the primary knows them, which tells what becomes of them; the environment is read here. */
export class RelayedSecrets implements SecretKeeper {
  readonly #link: Link
  readonly #options: RelayedSecretsOptions
  readonly #known = new Map<string, Known>()
  readonly #forgetting = new Set<() => void>()
  #onChange: (references: ReadonlySet<string>) => void = () => undefined

  constructor(link: Link, options: RelayedSecretsOptions) {
    this.#link = link
    this.#options = options
    link.on(SECRET_TOPIC.news, (news: readonly SecretNews[]) => this.#take(news))
  }

  /** Who is told when answers change; one listener, set before anything is asked. */
  listen(listener: (references: ReadonlySet<string>) => void): void {
    this.#onChange = listener
  }

  /** The primary hears of managers itself. */
  setManager(): void {}

  deleteManager(): void {}

  read(text: string): SecretAnswer {
    const local = this.#localAnswer(text)
    if (local) return local
    if (!this.#known.has(text)) void this.#want([text], UNASKED_WAIT_MS)
    const known = this.#known.get(text)!
    if (known.answer === undefined) known.wasMissed = true
    return known.answer ?? NOT_FETCHED
  }

  async ask(references: Iterable<string>, waitMs: number): Promise<void> {
    const open = [...references].filter(
      (text) => !this.#localAnswer(text) && isOpen(this.#known.get(text)?.answer),
    )
    if (open.length > 0) await this.#bounded(this.#want(open, waitMs), waitMs)
  }

  retain(references: Iterable<string>): void {
    for (const text of references) {
      if (this.#localAnswer(text)) continue
      if (!this.#known.has(text)) void this.#want([text], UNASKED_WAIT_MS)
      this.#known.get(text)!.uses++
    }
  }

  release(references: Iterable<string>): void {
    this.#forget(
      [...references].filter((text) => {
        const known = this.#known.get(text)
        return known !== undefined && known.uses > 0 && --known.uses === 0
      }),
    )
  }

  /** Nothing: the primary shows the secrets of the node. */
  status(): [] {
    return []
  }

  close(): void {
    for (const cancel of this.#forgetting) cancel()
    this.#forgetting.clear()
    this.#known.clear()
  }

  /** Undefined for what a manager keeps. */
  #localAnswer(text: string): SecretAnswer | undefined {
    if (this.#known.has(text)) return undefined
    const parsed = parseReference(text)
    if (!parsed) return NO_REFERENCE
    if (!parsed.ok) return parsed
    return parsed.reference.kind === 'env' ? readEnv(this.#options.env, parsed.reference) : undefined
  }

  /** Resolves when the primary has answered, or is gone. */
  async #want(references: readonly string[], waitMs: number): Promise<void> {
    for (const text of references) {
      if (!this.#known.has(text)) this.#known.set(text, { answer: undefined, uses: 0, wasMissed: false })
    }
    this.#forgetUnusedLater(references)
    const wanted: WantedSecrets = { references, waitMs }
    try {
      const answers = await this.#link.ask<readonly SecretAnswer[]>(SECRET_TOPIC.want, wanted)
      // What was given up meanwhile is followed by the primary all the same.
      const unwanted = references.filter((text) => !this.#known.has(text))
      if (unwanted.length > 0) this.#link.tell(SECRET_TOPIC.release, unwanted)
      this.#take(references.map((text, index): SecretNews => [text, answers[index]!]))
    } catch {
      // The primary is gone, and this process goes too.
    }
  }

  #take(news: readonly SecretNews[]): void {
    const changed = new Set<string>()
    for (const [text, answer] of news) {
      const known = this.#known.get(text)
      if (!known || isDeepStrictEqual(known.answer, answer)) continue
      const isNews = known.answer === undefined ? known.wasMissed : true
      known.answer = answer
      if (isNews) changed.add(text)
    }
    if (changed.size > 0) this.#onChange(changed)
  }

  #forgetUnusedLater(references: readonly string[]): void {
    const cancel = this.#options.clock.schedule(UNUSED_MS, () => {
      this.#forgetting.delete(cancel)
      this.#forget(references.filter((text) => this.#known.get(text)?.uses === 0))
    })
    this.#forgetting.add(cancel)
  }

  #forget(references: readonly string[]): void {
    const followed = references.filter((text) => {
      const answer = this.#known.get(text)?.answer
      this.#known.delete(text)
      return answer !== undefined
    })
    if (followed.length > 0) this.#link.tell(SECRET_TOPIC.release, followed)
  }

  #bounded(work: Promise<void>, limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.schedule(limitMs, resolve)
      void work.finally(() => {
        cancel()
        resolve()
      })
    })
  }
}

/** Whether it is still to come, as far as the primary has said. */
function isOpen(answer: SecretAnswer | undefined): boolean {
  return answer === undefined || (!answer.ok && answer.reason === NOT_FETCHED.reason)
}
