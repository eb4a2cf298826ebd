import type { Clock } from '../../lib/clock.ts'
import type { WorkerProcess } from '../../lifecycle/workers/worker-process.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Barred } from '../../snapshot/barred.ts'
import { type Address, addressOf, pathOf } from '../../snapshot/decode.ts'
import { type Graph, nameOf } from '../../snapshot/graph.ts'
import type { StoredItem } from '../../store/config-store.ts'
import type { RecentChange, RecentChanges } from './recent-changes.ts'
import type { Word } from './words.ts'

/** So many ends of workers within the window, and what they met is set aside (reliability.md, C16). */
const ENDS = 2
/** Wide enough for the start of a process on a busy machine in between; so long workers say what they do. */
const WINDOW_MS = 60_000
/**
 * What has served for longer before the first end is not undone: it was not its first request, and whoever finds a request that ends workers
 * must not bring an older version back.
 */
const FRESH_MS = 60_000
/** Routes that a worker was asked for last. */
const MOST_ROUTES = 16

export interface InquestParts {
  readonly clock: Clock
  readonly logger: Logger
  /** Of the store's keys. */
  readonly prefix: string
  readonly changes: RecentChanges
  /** What serves. */
  readonly graph: Graph
  /** As it stands in the store. */
  item(key: string): StoredItem | undefined
  /** Asks all workers to say what they do for so long. */
  askForWords(forMs: number): void
  bar(barred: Barred): void
}

interface Said {
  compiles: string | null
  readonly routes: string[]
}

/** In the primary process: finds the stored resource over which workers end, and has it set aside. */
export class Inquest {
  readonly #parts: InquestParts
  readonly #said = new WeakMap<WorkerProcess, Said>()
  readonly #barred = new Map<string, Barred>()
  #endsMs: number[] = []
  #ends = 0
  /** How many had ended when something was set aside last. */
  #endsThen = 0
  #asksUntilMs = 0
  #found = 0

  constructor(parts: InquestParts) {
    this.#parts = parts
  }

  /** How often something was set aside. */
  get found(): number {
    return this.#found
  }

  /** For how much longer a worker that starts now is to say what it does; 0 when nothing has happened. */
  get asksForMs(): number {
    return Math.max(0, this.#asksUntilMs - this.#parts.clock.nowMs())
  }

  /** What is set aside as long as it stands in the store: for a worker to be told before it is told of that. */
  get barred(): readonly Barred[] {
    for (const [key, { item }] of this.#barred) {
      if (this.#parts.item(key)?.modRevision !== item.modRevision) this.#barred.delete(key)
    }
    return [...this.#barred.values()]
  }

  /** Whether this version is set aside. */
  isBarred({ key, modRevision }: StoredItem): boolean {
    return this.#barred.get(key)?.item.modRevision === modRevision
  }

  heard(worker: WorkerProcess, word: Word): void {
    const said = this.#said.get(worker) ?? { compiles: null, routes: [] }
    this.#said.set(worker, said)
    if ('compiles' in word) said.compiles = word.compiles
    else {
      said.routes.unshift(word.route)
      said.routes.length = Math.min(said.routes.length, MOST_ROUTES)
    }
  }

  /** A worker ended without being told to; what it said last may still be on its way. */
  onCrash(worker: WorkerProcess): void {
    const nowMs = this.#parts.clock.nowMs()
    const number = ++this.#ends
    this.#endsMs = [...this.#endsMs.filter((atMs) => nowMs - atMs < WINDOW_MS), nowMs].slice(-ENDS)
    this.#asksUntilMs = nowMs + WINDOW_MS
    this.#parts.askForWords(WINDOW_MS)
    const [firstMs = nowMs, ...others] = this.#endsMs
    if (others.length === 0) return
    worker.link.onClose(() => {
      // Or it ended of what has been set aside meanwhile.
      if (this.#endsThen < number) this.#judge(this.#said.get(worker), firstMs - FRESH_MS)
    })
  }

  #judge(said: Said | undefined, sinceMs: number): void {
    const fresh = this.#parts.changes.since(sinceMs).filter(({ item }) => !this.isBarred(item))
    if (said && said.compiles !== null) this.#bar(said.compiles, 'were made to use it')
    else if (said && said.routes.length > 0) this.#barOne(this.#metBy(said.routes, fresh).slice(0, 1))
    else this.#barOne(fresh)
  }

  /** Nothing, unless there is only one that it can be. */
  #barOne([change, ...others]: readonly RecentChange[]): void {
    if (change && others.length === 0) this.#bar(change.item.key, 'had their first requests with it')
  }

  /** Those changes that requests for these routes meet. */
  #metBy(routes: readonly string[], changes: readonly RecentChange[]): readonly RecentChange[] {
    const met = new Set(routes.flatMap((id) => [...this.#usedBy(id)]))
    return changes.filter(({ item }) => {
      const address = addressOf(item.key, this.#parts.prefix)
      return address && (met.has(nameOf(address)) || MET_BY_ALL.has(address.kind))
    })
  }

  *#usedBy(id: string): Iterable<string> {
    const { graph } = this.#parts
    yield nameOf({ kind: 'routes', id })
    const route = graph.get('routes', id)?.value
    if (!route) return
    if (route.plugin_config_id !== undefined)
      yield nameOf({ kind: 'plugin_configs', id: String(route.plugin_config_id) })
    if (route.upstream_id !== undefined) yield nameOf({ kind: 'upstreams', id: String(route.upstream_id) })
    if (route.service_id === undefined) return
    const service = { kind: 'services', id: String(route.service_id) } as const
    yield nameOf(service)
    const upstream = graph.get('services', service.id)?.value.upstream_id
    if (upstream !== undefined) yield nameOf({ kind: 'upstreams', id: String(upstream) })
  }

  #bar(key: string, what: string): void {
    const { changes, prefix, logger } = this.#parts
    const item = this.#parts.item(key)
    const address = addressOf(key, prefix)
    if (!item || !address) return
    const reason = `worker processes ended when they ${what}: change it, or delete it`
    // Where it is set aside already, what serves in its place was no better.
    const before = this.isBarred(item) ? null : this.#before(item, changes.get(key))
    const barred: Barred = { item, reason, ...(before !== undefined && { before }) }
    logger.error({ resource: pathOf(address), revision: item.modRevision }, `set aside: ${reason}`)
    this.#barred.set(key, barred)
    this.#found++
    this.#endsThen = this.#ends
    this.#endsMs = []
    this.#parts.bar(barred)
  }

  /** The version to serve instead: not one that was set aside itself. */
  #before(item: StoredItem, change: RecentChange | undefined): StoredItem | null | undefined {
    const before = change?.item.modRevision === item.modRevision ? change.before : undefined
    const older = this.#barred.get(item.key)
    return before && older?.item.modRevision === before.modRevision ? older.before : before
  }
}

/** Whatever the route. */
const MET_BY_ALL: ReadonlySet<Address['kind']> = new Set([
  'global_rules',
  'plugin_metadata',
  'consumers',
  'consumer_groups',
  'credentials',
])
