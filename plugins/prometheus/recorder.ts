import type { Counter, Histogram, RequestContext, RouteView } from '../../src/plugin/api.ts'
import { type Families, LABELS, type MetricName } from './families.ts'

type Metadata = Readonly<Record<string, unknown>>
type DisabledLabels = Readonly<Partial<Record<MetricName, readonly string[]>>>

/** Handles of everything counted for one route, consumer and node: a request adds to six numbers. */
interface Handles {
  /** By status and source. */
  readonly statuses: Map<number, Counter>
  readonly request: Histogram
  readonly apisix: Histogram
  /** Made with the first request that reached an upstream. */
  upstream: Histogram | undefined
  readonly ingress: Counter
  readonly egress: Counter
}

type ByNode = Map<string, Handles>

interface RouteHandles {
  readonly byConsumer: Map<string, ByNode>
  size: number
}

export interface RecorderOptions {
  readonly families: Families
  readonly prefersName: boolean
  metadata(): Metadata
}

/** Consumers times nodes remembered per route; beyond it the look-up begins anew, the series themselves stay. */
const MAX_HANDLES_PER_ROUTE = 4096
const TRAFFIC = ['traditional_http', '', ''] as const
const CLIENT_CLOSED_REQUEST = 499
const SOURCES = ['apisix', 'nginx', 'upstream'] as const
const NO_ROUTE: RouteView = {
  id: '',
  name: undefined,
  serviceId: undefined,
  serviceName: undefined,
  uri: '',
  host: undefined,
}

/** Counts requests in the series of contract §8.3. Labels come from configuration and nodes, never from what a client sends. */
export class Recorder {
  readonly #families: Families
  readonly #prefersName: boolean
  readonly #metadata: () => Metadata
  #byRoute = new WeakMap<RouteView, RouteHandles>()
  #lastMetadata: Metadata | undefined
  #disabled: DisabledLabels = {}

  constructor({ families, prefersName, metadata }: RecorderOptions) {
    this.#families = families
    this.#prefersName = prefersName
    this.#metadata = metadata
  }

  record(context: RequestContext): void {
    this.#refresh()
    const { stats } = context
    const handles = this.#families.extraValues ? this.#make(context) : this.#find(context)
    this.#status(context, handles).inc()
    const { totalMs, upstreamMs } = stats
    handles.request.observe(totalMs)
    handles.apisix.observe(Math.max(0, totalMs - (upstreamMs ?? 0)))
    if (upstreamMs !== undefined) {
      handles.upstream ??= this.#families.http_latency.labels(
        ...this.#traffic(context, 'http_latency', 'upstream'),
      )
      handles.upstream.observe(upstreamMs)
    }
    handles.ingress.inc(stats.bytesReceived)
    handles.egress.inc(stats.bytesSent)
    this.#families.requests.inc()
  }

  /** Metadata changes without a recompile; what was looked up under the old one is forgotten. */
  #refresh(): void {
    const metadata = this.#metadata()
    if (metadata === this.#lastMetadata) return
    this.#lastMetadata = metadata
    this.#disabled = (metadata['disabled_labels'] ?? {}) as DisabledLabels
    this.#byRoute = new WeakMap()
  }

  #find(context: RequestContext): Handles {
    const route = this.#handlesOf(context.route ?? NO_ROUTE)
    const consumer = context.consumer?.name ?? ''
    let byNode = route.byConsumer.get(consumer)
    if (!byNode) {
      byNode = new Map()
      route.byConsumer.set(consumer, byNode)
    }
    const node = context.node?.host ?? ''
    const known = byNode.get(node)
    if (known) return known
    const made = this.#make(context)
    byNode.set(node, made)
    route.size += 1
    return made
  }

  #handlesOf(route: RouteView): RouteHandles {
    const known = this.#byRoute.get(route)
    if (known && known.size < MAX_HANDLES_PER_ROUTE) return known
    const made = { byConsumer: new Map<string, ByNode>(), size: 0 }
    this.#byRoute.set(route, made)
    return made
  }

  #make(context: RequestContext): Handles {
    const { http_latency: latency, bandwidth } = this.#families
    return {
      statuses: new Map(),
      request: latency.labels(...this.#traffic(context, 'http_latency', 'request')),
      apisix: latency.labels(...this.#traffic(context, 'http_latency', 'apisix')),
      upstream: undefined,
      ingress: bandwidth.labels(...this.#traffic(context, 'bandwidth', 'ingress')),
      egress: bandwidth.labels(...this.#traffic(context, 'bandwidth', 'egress')),
    }
  }

  #status(context: RequestContext, { statuses }: Handles): Counter {
    const source = sourceOf(context)
    const key = statusOf(context) * SOURCES.length + source
    const known = statuses.get(key)
    if (known) return known
    const made = this.#families.http_status.labels(...this.#statusLabels(context, SOURCES[source]!))
    statuses.set(key, made)
    return made
  }

  #statusLabels(context: RequestContext, source: string): string[] {
    const route = context.route ?? NO_ROUTE
    return this.#finish('http_status', context, [
      String(statusOf(context)),
      this.#routeLabel(route),
      route.uri,
      route.host ?? '',
      this.#serviceLabel(route),
      context.consumer?.name ?? '',
      context.node?.host ?? '',
      ...TRAFFIC,
      source,
    ])
  }

  #traffic(context: RequestContext, metric: MetricName, type: string): string[] {
    const route = context.route ?? NO_ROUTE
    return this.#finish(metric, context, [
      type,
      this.#routeLabel(route),
      this.#serviceLabel(route),
      context.consumer?.name ?? '',
      context.node?.host ?? '',
      ...TRAFFIC,
    ])
  }

  /** Empties what metadata disables and adds what the settings ask for. */
  #finish(metric: MetricName, context: RequestContext, values: string[]): string[] {
    for (const label of this.#disabled[metric] ?? []) {
      const at = LABELS[metric].indexOf(label)
      if (at !== -1) values[at] = ''
    }
    return this.#families.extraValues ? [...values, ...this.#families.extraValues(metric, context)] : values
  }

  #routeLabel({ id, name }: RouteView): string {
    return this.#prefersName ? (name ?? id) : id
  }

  #serviceLabel({ serviceId, serviceName }: RouteView): string {
    return (this.#prefersName ? (serviceName ?? serviceId) : serviceId) ?? ''
  }
}

/** A client that left before there was an answer is what nginx calls 499. */
function statusOf(context: RequestContext): number {
  return context.hasResponse ? context.response.status : CLIENT_CLOSED_REQUEST
}

/** Index into {@link SOURCES}: an answer made by the gateway is `nginx`'s when an upstream was asked and gave none. */
function sourceOf(context: RequestContext): number {
  if (context.hasResponse && context.response.source === 'upstream') return 2
  return context.stats.upstreamStartedAt > 0 ? 1 : 0
}
