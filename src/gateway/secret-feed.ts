import type { Link } from '../lifecycle/workers/link.ts'
import type { SecretAnswer } from '../secret/secret-source.ts'
import type { Publisher } from '../snapshot/publisher.ts'
import type { SecretKeeper } from '../snapshot/secret-links.ts'

/** What a worker wants to know, from now on. */
export interface WantedSecrets {
  readonly references: readonly string[]
  /** How long a first answer may take. */
  readonly waitMs: number
}

/** A reference and what it stands for now. */
export type SecretNews = readonly [reference: string, answer: SecretAnswer]

/** Topics between {@link SecretFeed} and `RelayedSecrets`. */
export const SECRET_TOPIC = { want: 'secrets', news: 'secret news', release: 'secrets released' } as const

interface Source {
  readonly keeper: SecretKeeper
  readonly publisher: Pick<Publisher, 'applied' | 'settled' | 'status'>
}

/**
 * In the primary process, which alone asks secret managers: answers its workers, and tells them what changes. Values go through the pipe between
 * the processes and nowhere else.
 */
export class SecretFeed {
  readonly #followers = new Set<Follower>()

  /** For whoever hears of answers that changed. */
  readonly onChange = (references: ReadonlySet<string>): void => {
    for (const follower of this.#followers) follower.tell(references)
  }

  attach(link: Link, source: Source): void {
    const follower = new Follower(link, source)
    this.#followers.add(follower)
    link.on(SECRET_TOPIC.want, (wanted: WantedSecrets) => follower.want(wanted))
    link.on(SECRET_TOPIC.release, (references: readonly string[]) => follower.release(references))
    link.onClose(() => {
      this.#followers.delete(follower)
      follower.close()
    })
  }
}

/** What one worker follows. */
class Follower {
  readonly #link: Link
  readonly #source: Source
  readonly #followed = new Set<string>()

  constructor(link: Link, source: Source) {
    this.#link = link
    this.#source = source
  }

  /** Resolves with an answer for each reference, in their order. */
  async want({ references, waitMs }: WantedSecrets): Promise<readonly SecretAnswer[]> {
    const { keeper } = this.#source
    const untilMs = performance.now() + waitMs
    // The worker may have compiled a manager that this process has only heard of.
    await this.#caughtUp(waitMs)
    if (!this.#link.isClosed) {
      const added = references.filter((reference) => !this.#followed.has(reference))
      for (const reference of added) this.#followed.add(reference)
      keeper.retain(added)
    }
    await keeper.ask(references, Math.max(0, untilMs - performance.now()))
    return references.map((reference) => keeper.read(reference))
  }

  tell(references: ReadonlySet<string>): void {
    const news = [...references]
      .filter((reference) => this.#followed.has(reference))
      .map((reference): SecretNews => [reference, this.#source.keeper.read(reference)])
    if (news.length > 0) this.#link.tell(SECRET_TOPIC.news, news)
  }

  release(references: readonly string[]): void {
    this.#source.keeper.release(references.filter((reference) => this.#followed.delete(reference)))
  }

  close(): void {
    this.release([...this.#followed])
  }

  async #caughtUp(waitMs: number): Promise<void> {
    const { publisher } = this.#source
    const { observed, published } = publisher.status
    try {
      // Revisions went back when what was stored was lost: then they say nothing.
      if (published > observed) await publisher.settled()
      else await publisher.applied.waitFor(observed, AbortSignal.timeout(waitMs))
    } catch {
      // It took too long, or the gateway stops: what is known by now is the answer, and what comes later is told.
    }
  }
}
