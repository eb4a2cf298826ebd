import type { RequestObserver } from '../http/close.ts'
import type { RequestHandler } from '../http/handle.ts'
import type { RefusalObserver } from '../http/refusal.ts'
import type { MetricRegistry } from '../observe/metrics.ts'

/** How many connections of clients there are and were. */
interface Connections {
  readonly open: number
  readonly accepted: number
  readonly handled: number
}

/** Counts all requests of the proxy listeners, whatever becomes of them: two additions for each. */
export class RequestTally {
  #begun = 0
  #ended = 0
  #unread = 0
  #onEnd: RequestObserver | undefined

  /** Requests so far, those included that could not be read. */
  get total(): number {
    return this.#begun + this.#unread
  }

  /** Those that were let in. */
  get begun(): number {
    return this.#begun
  }

  get underWay(): number {
    return this.#begun - this.#ended
  }

  /** Counts what begins. */
  counted(handle: RequestHandler): RequestHandler {
    return (request, response) => {
      this.#begun += 1
      handle(request, response)
    }
  }

  /** A request has ended: for the observers of requests. */
  readonly end: RequestObserver = (context) => {
    this.#ended += 1
    this.#onEnd?.(context)
  }

  /** From now on, `tell` is told of each request that ends: all of them, when a stop cuts what is left. */
  tellEach(tell: RequestObserver): void {
    this.#onEnd = tell
  }

  /** Counts as ended what is refused at the door, where no observer is told. */
  countedRefusals(onRefused: RefusalObserver): RefusalObserver {
    return (refused) => {
      if (refused.isLogged !== true) this.#ended += 1
      onRefused(refused)
    }
  }

  /** Counts what never became a request. */
  countedUnread(onRefused: RefusalObserver): RefusalObserver {
    return (refused) => {
      this.#unread += 1
      onRefused(refused)
    }
  }
}

/**
 * The gauges that APISIX takes from nginx (contract §8.3). A request under way is `writing`, other connections are `waiting`;
 * nothing tells which of them is being read from, so `reading` is 0.
 */
export function registerTrafficMetrics(
  metrics: MetricRegistry,
  prefix: string,
  { tally, connections }: { readonly tally: RequestTally; readonly connections: Connections },
): void {
  const states = metrics.gauge({
    name: `${prefix}nginx_http_current_connections`,
    help: 'Connections of clients by state; accepted and handled are all so far',
    labels: ['state'],
  })
  const requests = metrics.gauge({
    name: `${prefix}http_requests_total`,
    help: 'Requests of clients so far',
    labels: [],
  })
  metrics.beforeCollect(() => {
    const { open, accepted, handled } = connections
    const { underWay, total } = tally
    const waiting = Math.max(0, open - underWay)
    const values = { active: open, accepted, handled, reading: 0, writing: underWay, waiting }
    for (const [state, value] of Object.entries(values)) states.labels(state).set(value)
    requests.labels().set(total)
  })
}
