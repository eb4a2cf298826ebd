import type { Link } from '../lifecycle/workers/link.ts'
import type { HealthMonitor, HealthRelay, RelayedReport } from '../upstream/health/monitor.ts'
import type { HealthChange, NodeHealth } from '../upstream/health/node-health.ts'

/** A node of an upstream and what became of it; without a change it began anew. */
type NodeNews = readonly [upstream: string, node: string, change: HealthChange | null]

const NEWS = 'health'
const REPORT = 'report'

/** In the primary process, which owns the health of all nodes: tells the workers, and hears what they see in traffic. */
export class HealthFeed {
  readonly #links = new Set<Link>()

  /** For the monitor's `onNode`. */
  readonly onNode = (upstream: string, node: string, change: HealthChange | undefined): void => {
    const news: NodeNews = [upstream, node, change ?? null]
    for (const link of this.#links) link.tellLatest(NEWS, [news], keyOf(upstream, node))
  }

  attach(link: Link, monitor: HealthMonitor): void {
    link.on(REPORT, (report: RelayedReport) => take(report, monitor))
    const known: NodeNews[] = []
    for (const health of monitor.all()) {
      for (const [node, { lastChange }] of health.keyed()) {
        if (lastChange) known.push([health.name, node, lastChange])
      }
    }
    link.tell(NEWS, known)
    this.#links.add(link)
    link.onClose(() => this.#links.delete(link))
  }
}

function take({ upstream, node, kind, limit, detail }: RelayedReport, monitor: HealthMonitor): void {
  findNode(monitor, upstream, node)?.report(kind, limit, { source: 'passive', detail })
}

function findNode(monitor: HealthMonitor, upstream: string, node: string): NodeHealth | undefined {
  for (const [key, health] of monitor.find(upstream)?.keyed() ?? []) if (key === node) return health
  return undefined
}

/** In a worker: what the primary has said of nodes. */
export class RelayedHealth implements HealthRelay {
  readonly #link: Link
  readonly #changes = new Map<string, HealthChange>()

  constructor(link: Link) {
    this.#link = link
  }

  /** From now on nodes follow the primary. */
  attach(monitor: HealthMonitor): void {
    this.#link.on(NEWS, (all: readonly NodeNews[]) => {
      for (const [upstream, node, change] of all) {
        this.#keep(upstream, node, change)
        findNode(monitor, upstream, node)?.adopt(change ?? undefined)
      }
    })
  }

  report(report: RelayedReport): void {
    this.#link.tell(REPORT, report)
  }

  find(upstream: string, node: string): HealthChange | undefined {
    return this.#changes.get(keyOf(upstream, node))
  }

  #keep(upstream: string, node: string, change: HealthChange | null): void {
    if (change) this.#changes.set(keyOf(upstream, node), change)
    else this.#changes.delete(keyOf(upstream, node))
  }
}

function keyOf(upstream: string, node: string): string {
  return `${upstream}\n${node}`
}
