import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import { feedNodes, fixedFeed, hasOnlyAddresses, type NodeFeed, type NodeOrigins } from './node-feed.ts'
import type { UpstreamSpec } from './spec.ts'

export interface NodeFeedsOptions extends NodeOrigins {
  readonly clock: Clock
  readonly logger: Logger
}

/** How long a publish waits for answers about names and services that nobody has asked for before. */
const FIRST_ANSWER_MS = 1000

/** The feeds of all upstreams of a process, and which of them have not been answered yet. */
export class NodeFeeds {
  readonly #options: NodeFeedsOptions
  /** Those that ask for something, with the name of their upstream. */
  readonly #open = new Map<NodeFeed, string>()
  readonly #unanswered = new Set<NodeFeed>()
  readonly #waiting = new Set<() => void>()
  /** As {@link #unanswered}, with those that nobody waits for any more. */
  readonly #unsettled = new Set<NodeFeed>()
  readonly #waitingForAll = new Set<() => void>()

  constructor(options: NodeFeedsOptions) {
    this.#options = options
  }

  /** As {@link feedNodes}; `name` is the upstream's, for the log. Close the feed when its version of the upstream is gone. */
  open(name: string, spec: UpstreamSpec, onChange: () => void): NodeFeed {
    if (hasOnlyAddresses(spec)) return fixedFeed(spec.nodes)
    const opened: { feed?: NodeFeed } = {}
    const feed = feedNodes(spec, this.#options, () => {
      if (opened.feed) this.#onChange(name, opened.feed, onChange)
    })
    opened.feed = feed
    this.#open.set(feed, name)
    if (feed.isSettled) this.#warnIfEmpty(name, feed)
    else {
      this.#unanswered.add(feed)
      this.#unsettled.add(feed)
    }
    return this.#forgettable(feed)
  }

  /** Upstreams that have no nodes because names or registries gave none, each with the reason. */
  *empty(): Iterable<{ readonly upstream: string; readonly reason: string }> {
    for (const [{ whyEmpty }, upstream] of this.#open) {
      if (whyEmpty !== undefined) yield { upstream, reason: whyEmpty }
    }
  }

  /**
   * Resolves when every feed has been answered once, at the latest after a second; `undefined` when there is nothing to wait for.
   * Those that were not answered by then are not waited for again.
   */
  firstAnswers(): Promise<void> | undefined {
    if (this.#unanswered.size === 0) return undefined
    return new Promise((resolve) => {
      const done = () => {
        cancel()
        this.#waiting.delete(done)
        resolve()
      }
      const cancel = this.#options.clock.schedule(FIRST_ANSWER_MS, () => {
        this.#unanswered.clear()
        done()
      })
      this.#waiting.add(done)
    })
  }

  /** Names of the upstreams that still wait for a first answer, however long they have. */
  unsettled(): string[] {
    return [...this.#unsettled].map((feed) => this.#open.get(feed)!)
  }

  /** Resolves when every feed that is open has been answered once, however long that takes, or `signal` is aborted. */
  settled(signal: AbortSignal): Promise<void> {
    if (this.#unsettled.size === 0 || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const done = () => {
        this.#waitingForAll.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#waitingForAll.add(done)
      signal.addEventListener('abort', done)
    })
  }

  #onChange(name: string, feed: NodeFeed, onChange: () => void): void {
    const wasUnanswered = this.#unanswered.has(feed)
    try {
      onChange()
    } catch (error) {
      this.#options.logger.error({ upstream: name, err: error }, 'an upstream could not take its new nodes')
    }
    if (wasUnanswered && feed.isSettled) {
      this.#warnIfEmpty(name, feed)
      this.#answered(feed)
    } else if (feed.isSettled) this.#settle(feed)
  }

  #warnIfEmpty(upstream: string, { whyEmpty }: NodeFeed): void {
    if (whyEmpty !== undefined)
      this.#options.logger.warn({ upstream, reason: whyEmpty }, 'an upstream has no nodes')
  }

  #answered(feed: NodeFeed): void {
    this.#unanswered.delete(feed)
    if (this.#unanswered.size === 0) for (const done of [...this.#waiting]) done()
    this.#settle(feed)
  }

  #settle(feed: NodeFeed): void {
    this.#unsettled.delete(feed)
    if (this.#unsettled.size === 0) for (const done of [...this.#waitingForAll]) done()
  }

  /** A feed that is closed is not waited for and not shown any more. */
  #forgettable(feed: NodeFeed): NodeFeed {
    const forget = () => {
      this.#answered(feed)
      this.#open.delete(feed)
    }
    return {
      get nodes() {
        return feed.nodes
      },
      get whyEmpty() {
        return feed.whyEmpty
      },
      get isKnown() {
        return feed.isKnown
      },
      get isSettled() {
        return feed.isSettled
      },
      close() {
        feed.close()
        forget()
      },
    }
  }
}
