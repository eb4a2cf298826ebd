import type { DiscoveredNode, DiscoveredService, Discoverer, NodeSink, Watch } from './discoverer.ts'
import type { DnsClient, SrvRecord } from './dns-client.ts'
import { followAlias, isAbsent, type LookUp } from './look-up.ts'
import { type Loaded, RefreshedValues, type RefreshOptions } from './refreshed.ts'

/** The words of `discovery.dns.order`. */
export type DnsOrder = 'last' | 'SRV' | 'A' | 'AAAA' | 'CNAME'
type RecordType = Exclude<DnsOrder, 'last'>

export interface DnsDiscovererOptions extends RefreshOptions {
  readonly client: DnsClient
  /** Finds the addresses of the targets of SRV and CNAME records. */
  readonly lookUp: LookUp
  /** Types of records to ask for; the first that has any wins. `last` is the one that had some the last time. */
  readonly order: readonly DnsOrder[]
  /** Holds in place of every TTL. */
  readonly validMs: number | undefined
}

interface Records {
  readonly type: RecordType
  readonly nodes: readonly DiscoveredNode[]
}

/** How long SRV records are believed at most: their own TTL cannot be had from Node, that of their targets can. */
const SRV_TTL_MS = 30_000

/** `discovery_type: dns` (contract §5.6): each A, AAAA or SRV record of `service_name`, `name[:port]`, is a node. */
export class DnsDiscoverer implements Discoverer {
  readonly type = 'dns'
  readonly #options: DnsDiscovererOptions
  readonly #services: RefreshedValues<Records>

  constructor(options: DnsDiscovererOptions) {
    this.#options = options
    this.#services = new RefreshedValues(options)
  }

  /** Services that something is kept of. */
  get size(): number {
    return this.#services.size
  }

  watch({ serviceName }: DiscoveredService, sink: NodeSink): Watch {
    const { name, port } = readServiceName(serviceName)
    return this.#services.watch(name, (previous) => this.#load(name, previous?.type), {
      onValue: ({ nodes }) =>
        sink.onNodes(port === undefined ? nodes : nodes.map((node) => ({ ...node, port }))),
      onProblem: (reason) => sink.onProblem(reason),
    })
  }

  /** A type that answered before and now gives no clear answer is not passed over for another: that would be another set of nodes. */
  async #load(name: string, last: RecordType | undefined): Promise<Loaded<Records>> {
    const problems: string[] = []
    for (const type of typesToAsk(this.#options.order, last)) {
      try {
        const { value, ttlMs } = await this.#ask(type, name)
        return { value: { type, nodes: value }, ttlMs: this.#options.validMs ?? ttlMs }
      } catch (error) {
        if (type === last && !isAbsent(error)) throw error
        problems.push((error as Error).message)
      }
    }
    throw new Error(problems.join('; '))
  }

  #ask(type: RecordType, name: string): Promise<Loaded<DiscoveredNode[]>> {
    const { client, lookUp } = this.#options
    const ASK: Readonly<Record<RecordType, () => Promise<Loaded<DiscoveredNode[]>>>> = {
      SRV: () => this.#srv(name),
      A: async () => fromRecords(await client.a(name)),
      AAAA: async () => fromRecords(await client.aaaa(name)),
      CNAME: async () => {
        const { value, ttlMs } = await followAlias(name, client, lookUp)
        return { value: value.map(plainNode), ttlMs }
      },
    }
    return ASK[type]()
  }

  async #srv(name: string): Promise<Loaded<DiscoveredNode[]>> {
    const records = await this.#options.client.srv(name)
    const found = await Promise.all(records.map((record) => this.#target(record)))
    const usable = found.filter((one): one is Loaded<DiscoveredNode[]> => !(one instanceof Error))
    // A target that fails takes only itself away; when all do, the last good set is better than none.
    if (usable.length === 0) throw found[0] ?? new Error(`SRV of "${name}": the answer is empty`)
    return {
      value: usable.flatMap(({ value }) => value).sort(byPlace),
      ttlMs: Math.min(SRV_TTL_MS, ...usable.map(({ ttlMs }) => ttlMs)),
    }
  }

  /** A target with several addresses shares its weight among them; 0 means 1, as RFC 2782 wants it picked now and then. */
  async #target(record: SrvRecord): Promise<Loaded<DiscoveredNode[]> | Error> {
    try {
      const { value, ttlMs } = await this.#options.lookUp(`${record.target}.`)
      const weight = Math.max(1, Math.ceil(record.weight / value.length))
      const port = record.port === 0 ? undefined : record.port
      // −0 would not equal 0 where sets are compared.
      const priority = 0 - record.priority
      return { value: value.map((host) => ({ host, port, weight, priority })), ttlMs }
    } catch (error) {
      return error as Error
    }
  }
}

function typesToAsk(order: readonly DnsOrder[], last: RecordType | undefined): readonly RecordType[] {
  const types = order.map((word) => (word === 'last' ? last : word)).filter((type) => type !== undefined)
  return [...new Set(types)]
}

function fromRecords(
  records: readonly { readonly address: string; readonly ttlMs: number }[],
): Loaded<DiscoveredNode[]> {
  const addresses = new Set(records.map(({ address }) => address))
  return {
    value: [...addresses].map(plainNode).sort(byPlace),
    ttlMs: Math.min(...records.map(({ ttlMs }) => ttlMs)),
  }
}

function plainNode(host: string): DiscoveredNode {
  return { host, port: undefined, weight: 1, priority: 0 }
}

/** One order for one set, however the server shuffles it. */
function byPlace(one: DiscoveredNode, other: DiscoveredNode): number {
  const place = ({ priority, host, port }: DiscoveredNode) => `${host} ${port} ${priority}`
  return place(one) < place(other) ? -1 : 1
}

/** `name` or `name:port`. Throws when it is neither. */
function readServiceName(serviceName: string): { name: string; port: number | undefined } {
  const [, name, digits] = /^([^\s:/]+)(?::(\d{1,5}))?$/.exec(serviceName) ?? []
  const port = digits === undefined ? undefined : Number(digits)
  if (name === undefined || port === 0 || (port ?? 0) > 65_535) {
    throw new Error(`service_name "${serviceName}" is no name or name:port, as discovery_type "dns" wants it`)
  }
  return { name: name.toLowerCase().replace(/\.$/, ''), port }
}
