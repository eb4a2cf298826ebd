import type { Counter, Histogram, RequestContext, RouteView } from '../../src/plugin/api.ts'
import { type Families, LABELS, type MetricName } from './families.ts'

type Metadata = Readonly<Record<string, unknown>>
type DisabledLabels = Readonly<Partial<Record<MetricName, readonly string[]>>>

/** Handles of everything counted for one route, consumer, node, status and source: a request adds to six numbers. */
interface Handles {
  readonly status: Counter
  readonly request: Histogram
  readonly apisix: Histogram
  /** Made with the first request that reached an upstream. */
  upstream: Histogram | undefined
  readonly ingress: Counter
  readonly egress: Counter
}

type ByOutcome = Map<number, Handles>
type ByNode = Map<string, ByOutcome>

interface RouteHandles {
  /** By the consumer, and by the values of the labels that the settings added. */
  readonly byConsumer: Map<string, ByNode>
  size: number
}

export interface RecorderOptions {
  readonly families: Families
  readonly prefersName: boolean
  metadata(): Metadata
}

/** What is remembered of one route; beyond it the look-up begins anew, the series themselves stay. */
const MAX_HANDLES_PER_ROUTE = 4096
const TRAFFIC = ['traditional_http', '', ''] as const
const CLIENT_CLOSED_REQUEST = 499
const SOURCES = ['apisix', 'nginx', 'upstream'] as const
const NONE: readonly string[] = []
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
  #lastEpoch = 0
  #disabled: DisabledLabels = {}

  constructor({ families, prefersName, metadata }: RecorderOptions) {
    this.#families = families
    this.#prefersName = prefersName
    this.#metadata = metadata
  }

  record(context: RequestContext): void {
    this.#refresh()
    const { stats } = context
    const { extras } = this.#families
    const added = extras ? extras.read(context) : NONE
    const handles = this.#find(context, added)
    handles.status.inc()
    const { totalMs, upstreamMs } = stats
    handles.request.observe(totalMs)
    handles.apisix.observe(Math.max(0, totalMs - (upstreamMs ?? 0)))
    if (upstreamMs !== undefined) {
      handles.upstream ??= this.#latency(context, 'upstream', added)
      handles.upstream.observe(upstreamMs)
    }
    handles.ingress.inc(stats.bytesReceived)
    handles.egress.inc(stats.bytesSent)
  }

  /** Metadata changes without a recompile, and series are removed behind our back; what was looked up before is forgotten. */
  #refresh(): void {
    const metadata = this.#metadata()
    const { http_status: status, http_latency: latency, bandwidth } = this.#families
    const epoch = status.epoch + latency.epoch + bandwidth.epoch
    if (metadata === this.#lastMetadata && epoch === this.#lastEpoch) return
    this.#lastMetadata = metadata
    this.#lastEpoch = epoch
    this.#disabled = (metadata['disabled_labels'] ?? {}) as DisabledLabels
    this.#byRoute = new WeakMap()
  }

  #find(context: RequestContext, added: readonly string[]): Handles {
    const route = this.#handlesOf(context.route ?? NO_ROUTE)
    const consumer = context.consumer?.name ?? ''
    const who = added === NONE ? consumer : JSON.stringify([consumer, ...added])
    const node = context.node?.host ?? ''
    const outcome = statusOf(context) * SOURCES.length + sourceOf(context)
    const known = route.byConsumer.get(who)?.get(node)?.get(outcome)
    if (known) return known
    const before = this.#overflows()
    const made = this.#make(context, added)
    // What has no series of its own is not remembered: there may be any number of it.
    if (this.#overflows() !== before) return made
    entryOf(entryOf(route.byConsumer, who), node).set(outcome, made)
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

  #overflows(): number {
    const { http_status: status, http_latency: latency, bandwidth } = this.#families
    return status.overflows + latency.overflows + bandwidth.overflows
  }

  #make(context: RequestContext, added: readonly string[]): Handles {
    const { http_status: status, bandwidth } = this.#families
    const bytes = (type: string) =>
      bandwidth.labels(...this.#finish('bandwidth', this.#traffic(context, type), added))
    return {
      status: status.labels(...this.#finish('http_status', this.#statusLabels(context), added)),
      request: this.#latency(context, 'request', added),
      apisix: this.#latency(context, 'apisix', added),
      upstream: undefined,
      ingress: bytes('ingress'),
      egress: bytes('egress'),
    }
  }

  #latency(context: RequestContext, type: string, added: readonly string[]): Histogram {
    const values = this.#finish('http_latency', this.#traffic(context, type), added)
    return this.#families.http_latency.labels(...values)
  }

  #statusLabels(context: RequestContext): string[] {
    const route = context.route ?? NO_ROUTE
    return [
      String(statusOf(context)),
      this.#routeLabel(route),
      route.uri,
      route.host ?? '',
      this.#serviceLabel(route),
      context.consumer?.name ?? '',
      context.node?.host ?? '',
      ...TRAFFIC,
      SOURCES[sourceOf(context)]!,
    ]
  }

  #traffic(context: RequestContext, type: string): string[] {
    const route = context.route ?? NO_ROUTE
    return [
      type,
      this.#routeLabel(route),
      this.#serviceLabel(route),
      context.consumer?.name ?? '',
      context.node?.host ?? '',
      ...TRAFFIC,
    ]
  }

  /** Empties what metadata disables and adds what the settings ask for. */
  #finish(metric: MetricName, values: string[], added: readonly string[]): string[] {
    for (const label of this.#disabled[metric] ?? []) {
      const at = LABELS[metric].indexOf(label)
      if (at !== -1) values[at] = ''
    }
    const { extras } = this.#families
    return extras ? [...values, ...extras.of(metric, added)] : values
  }

  #routeLabel({ id, name }: RouteView): string {
    return this.#prefersName ? (name ?? id) : id
  }

  #serviceLabel({ serviceId, serviceName }: RouteView): string {
    return (this.#prefersName ? (serviceName ?? serviceId) : serviceId) ?? ''
  }
}

function entryOf<K, Inner extends Map<unknown, unknown>>(map: Map<K, Inner>, key: K): Inner {
  let entry = map.get(key)
  if (!entry) {
    entry = new Map() as Inner
    map.set(key, entry)
  }
  return entry
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
