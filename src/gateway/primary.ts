import { isDeepStrictEqual } from 'node:util'
import { SYSTEM_CLOCK } from '../lib/clock.ts'
import type { Deadline } from '../lifecycle/deadline.ts'
import type { Readiness } from '../lifecycle/readiness.ts'
import { becomePrimary, type WorkerProgram } from '../lifecycle/workers/cluster.ts'
import type { Link } from '../lifecycle/workers/link.ts'
import { WorkerPool } from '../lifecycle/workers/pool.ts'
import type { PoolOptions } from '../lifecycle/workers/pool-options.ts'
import type { WorkerProcess } from '../lifecycle/workers/worker-process.ts'
import type { Exposed } from '../observe/merged-exposition.ts'
import type { ListenAddress, Settings } from '../settings/settings.ts'
import { contentOf } from '../snapshot/decode.ts'
import { nameOf } from '../snapshot/graph.ts'
import type { Quarantined } from '../snapshot/intake.ts'
import type { Publisher } from '../snapshot/publisher.ts'
import { feedAgentTypes } from './agent-types.ts'
import { AppliedByWorkers } from './applied-by-workers.ts'
import type { AppliedSource } from './applied-source.ts'
import type { Debug } from './debug.ts'
import { WorkersDebug } from './debug-feed.ts'
import { answerDiscovery } from './discovery-feed.ts'
import type { Environment } from './environment.ts'
import { HealthFeed } from './health-feed.ts'
import { knownOwners } from './known-owners.ts'
import { answerNodeOperations } from './node-operation-feed.ts'
import { askPluginCheck } from './own-plugins/check-feed.ts'
import type { OwnPlugins } from './own-plugins/own-plugins.ts'
import { isUncompiled } from './own-plugins/uncompiled.ts'
import { mentions } from './plugin-reload.ts'
import { Inquest } from './poison/inquest.ts'
import { RefusedInWorkers } from './poison/refused-in-workers.ts'
import { askForWords, hearWords } from './poison/words.ts'
import { SecretFeed } from './secret-feed.ts'
import { type ShownWorker, showWorkers } from './shown-workers.ts'
import { StoreFeed } from './store-feed.ts'
import { takenOver } from './taken-over.ts'
import { WorkerMetrics } from './worker-metrics.ts'
import { spreadWorkerOperations } from './worker-operation-feed.ts'
import {
  type ChosenPorts,
  type WorkerAddresses,
  type WorkerPrepared,
  type WorkerStart,
  withChosenPorts,
  workerSettings,
} from './worker-start.ts'

/** What is not ready as long as a worker keeps crashing. */
const CRASH_LOOP = 'worker_crash_loop'
/** Keep-alive connections of a worker that is replaced get so much time to be told with an answer that they end. */
const SWAP_MIN_DRAIN_MS = 1000

export interface PrimaryOptions {
  readonly program: WorkerProgram
  readonly readiness: Readiness
  /** In `gatewright dev`. */
  readonly own?: OwnPlugins | undefined
}

/** The workers of a node, and what the primary process does for them. */
export class Primary {
  readonly store = new StoreFeed({ rankOf: (link) => this.#rankOf(link) })
  readonly health = new HealthFeed()
  readonly #secrets = new SecretFeed()
  readonly #options: PrimaryOptions
  readonly #applied = new AppliedByWorkers(() => this.#workshop!.pool)
  /** Those that have been told something, whatever they do. */
  readonly #living = new Set<WorkerProcess>()
  #workshop: Workshop | undefined

  constructor(options: PrimaryOptions) {
    this.#options = options
  }

  /** Called once, before the start. */
  attach(environment: Environment, publisher: Publisher): void {
    const { settings, logger } = environment
    const fork = becomePrimary(this.#options.program)
    const { workers, shutdown, upgrade, worker_max_rss_bytes } = settings.gatewright
    const pool = new WorkerPool<WorkerAddresses>({
      size: workers,
      clock: SYSTEM_CLOCK,
      logger,
      fork,
      attach: (worker) => this.#answer(worker),
      describe: () => this.#describe(),
      readyTimeoutMs: upgrade.ready_timeout_ms,
      maxRssBytes: worker_max_rss_bytes,
      drainMs: shutdown.max_drain_ms,
      // Whoever edits a plugin wants to see nothing of the old one.
      minDrainMs: this.#options.own ? 0 : SWAP_MIN_DRAIN_MS,
      ...(this.#options.own && this.#development(this.#options.own)),
      onServing: (_worker, addresses) => this.#take(addresses),
      onChange: () => this.#onChange(),
      onGone: (worker) => this.#workshop?.metrics.onGone(worker),
      onCrash: (worker) => this.#workshop?.inquest.onCrash(worker),
      causesRemoved: () => this.#workshop!.inquest.found,
    })
    const inquest = this.#inquest(environment, publisher)
    const refused = new RefusedInWorkers<WorkerProcess>({
      ...{ publisher, prefix: settings.store.prefix, changes: this.store.changes },
      item: (key) => this.store.item(key),
      isSetAside: (item) => inquest.isBarred(item),
      isForWorkers: (ref, item) => {
        const names = environment.plugins.all().filter(isUncompiled)
        return mentions(names.map(({ name }) => name))(ref, contentOf(item))
      },
    })
    const { pools, agentTypes } = environment
    const metrics = new WorkerMetrics({
      own: environment.metrics,
      pool,
      known: () => knownOwners({ graph: publisher.graph, pools, agentTypes }),
    })
    this.#workshop = {
      environment,
      publisher,
      pool,
      metrics,
      inquest,
      refused,
      ports: { asked: settings, chosen: settings },
      addresses: undefined,
    }
    metrics.count()
    environment.secrets.listen(this.#secrets.onChange)
  }

  /** Resolves with where the workers listen, when all of them do. Rejects, with no worker left, when one cannot or `signal` is aborted. */
  async start(
    signal: AbortSignal,
  ): Promise<{ plain: readonly ListenAddress[]; secure: readonly ListenAddress[] }> {
    const workshop = this.#workshop!
    workshop.ports = await withChosenPorts(workshop.ports.asked)
    await workshop.pool.start(signal)
    this.#onChange()
    return workshop.addresses!
  }

  /** All workers tell their clients to leave, and still accept. */
  startDraining(): void {
    for (const { link } of this.#workshop!.pool.serving) link.tell('draining')
  }

  async stop(deadline: Deadline, minDrainMs: number): Promise<number> {
    this.#applied.close()
    return this.#workshop!.pool.stop(deadline, minDrainMs)
  }

  /** Replaces all workers without losing a request; see {@link WorkerPool.swap}. */
  swapWorkers(): Promise<void> {
    return this.#workshop!.pool.swap()
  }

  /** The same, with what workers take over from these settings; when they cannot be replaced, those after them have the settings as they were. */
  async takeOver(next: Settings): Promise<void> {
    const workshop = this.#workshop!
    const before = workshop.ports
    workshop.ports = await withChosenPorts(takenOver(before.asked, next), before)
    try {
      await workshop.pool.swap(workshop.ports.asked.gatewright.workers)
    } catch (error) {
      workshop.ports = before
      throw error
    }
  }

  /** Own plugins are read anew with each worker: what waits for its turn has loaded none of them. */
  #development(own: OwnPlugins): Pick<PoolOptions<WorkerAddresses>, 'warm' | 'onPrepared'> {
    const newest = () => {
      const { serving, generation } = this.#workshop!.pool
      return serving.find((worker) => worker.generation === generation)?.link
    }
    own.ask = (check) => askPluginCheck(newest(), check, SYSTEM_CLOCK)
    return {
      warm: ({ link }) => link.ask('warm', this.#describe()),
      onPrepared: async (answer) => {
        await own.gate?.()
        await own.take((answer as WorkerPrepared).own)
      },
    }
  }

  #productPlugins(): readonly string[] {
    const { own } = this.#options
    const names = this.#workshop!.environment.plugins.all().map(({ name }) => name)
    return own ? names.filter((name) => !own.has(name)) : names
  }

  /** As the publisher's, for the requests of all workers. */
  appliedSource(own: AppliedSource): AppliedSource {
    return {
      quarantined: (ref) => own.quarantined(ref) ?? this.#workshop!.refused.reasonOf(ref),
      waitFor: async (revision, signal) => {
        await own.waitFor(revision, signal)
        await this.#applied.waitFor(revision, signal)
      },
      status: () => {
        const { observed, published } = own.status()
        return { observed, published: Math.min(published, this.#applied.byAll ?? published) }
      },
    }
  }

  /** Resolves when the requests of all workers meet these plugins. */
  async enablePlugins(names: readonly string[]): Promise<void> {
    const { logger } = this.#workshop!.environment
    const tell = async ({ link, pid }: WorkerProcess): Promise<void> => {
      try {
        await link.ask('plugins', names)
      } catch (error) {
        logger.error({ worker: pid, err: error }, 'a worker did not take over the list of plugins')
      }
    }
    await Promise.all([...this.#living].map(tell))
  }

  exposeInSlices(): AsyncGenerator<string, void, undefined> {
    return this.#workshop!.metrics.exposeInSlices()
  }

  /** The debug switches of all workers; `own` remembers them for those to come. */
  debug(own: Debug): WorkersDebug {
    return new WorkersDebug(own, () => this.#workshop!.pool.serving.map(({ link }) => link))
  }

  /** What the control API shows. */
  status(): readonly ShownWorker[] {
    const { pool } = this.#workshop!
    return showWorkers(pool, {
      nowMs: SYSTEM_CLOCK.nowMs(),
      revisionOf: (worker) => this.#applied.revisionOf(worker),
    })
  }

  /** Workers that take connections. */
  get serving(): number {
    return this.#workshop!.pool.serving.length
  }

  /** The primary does not find out by itself what becomes of plugins that it does not compile. */
  #takeRefused(worker: WorkerProcess, all: readonly Quarantined[]): void {
    const { own } = this.#options
    if (own) own.refuse(all.map(({ reason, ...ref }) => ({ resource: nameOf(ref), reason })))
    else this.#workshop!.refused.take(worker, all)
  }

  /** A standby tastes first, and one that ends does not. */
  #rankOf(link: Link): number {
    const { places, spare } = this.#workshop!.pool
    if (spare.worker?.link === link) return 2
    return places.some(({ worker }) => worker?.link === link) ? 1 : 0
  }

  #inquest({ settings, logger, metrics }: Environment, publisher: Publisher): Inquest {
    const barred = metrics.counter({
      name: 'gatewright_config_poison_total',
      help: 'Stored resources that were set aside because workers ended over them',
      labels: [],
    })
    return new Inquest({
      ...{ logger, prefix: settings.store.prefix, clock: SYSTEM_CLOCK, graph: publisher.graph },
      changes: this.store.changes,
      item: (key) => this.store.item(key),
      askForWords: (forMs) => {
        for (const { link } of this.#living) askForWords(link, forMs)
      },
      bar: (one) => {
        barred.labels().inc()
        publisher.bar(one)
        for (const { link } of this.#living) link.tell('bar', [one])
      },
    })
  }

  /** For the time when there is no primary process any more. */
  #tellSiblings(): void {
    const pids = [...this.#living].map(({ pid }) => pid)
    for (const { link } of this.#living) link.tellLatest('siblings', pids)
  }

  #answer(worker: WorkerProcess): void {
    const { environment, metrics, publisher, inquest } = this.#workshop!
    const { monitor, discovery, nodeOperations, plugins, secrets, registry } = environment
    const { link } = worker
    this.#living.add(worker)
    this.#tellSiblings()
    link.onClose(() => {
      this.#living.delete(worker)
      this.#tellSiblings()
      this.#workshop!.refused.forget(worker)
    })
    link.on('applied', (revision: number) => {
      this.store.applied(link, revision)
      this.#applied.note(worker, revision)
    })
    link.on('refused', (all: readonly Quarantined[]) => this.#takeRefused(worker, all))
    link.on('exposition', () => metrics.expose())
    answerNodeOperations(link, nodeOperations, (name) => plugins.get(name))
    spreadWorkerOperations(link, () => this.#living, SYSTEM_CLOCK)
    if (discovery.origins) answerDiscovery(link, discovery.origins)
    this.#secrets.attach(link, { keeper: secrets.cache, publisher })
    link.on('counted', (exposed: Exposed) => metrics.keep(worker, exposed))
    hearWords(link, (word) => inquest.heard(worker, word))
    link.on('feed', () => {
      worker.watch()
      if (registry) feedAgentTypes(link, registry.view)
      link.tell('bar', inquest.barred)
      if (monitor) this.health.attach(link, monitor)
      this.store.attach(link)
    })
  }

  #describe(): WorkerStart {
    const { environment, ports } = this.#workshop!
    const settings = ports.chosen
    return {
      settings: workerSettings(settings, environment.debug.settings),
      plugins: this.#productPlugins(),
      wordsForMs: this.#workshop!.inquest.asksForMs,
      ...(this.#options.own && { development: { list: settings.plugins } }),
    }
  }

  #take(addresses: WorkerAddresses): void {
    const workshop = this.#workshop!
    const { addresses: before, environment } = workshop
    workshop.addresses = addresses
    if (before && !isDeepStrictEqual(before, addresses))
      environment.logger.info({ addresses, before }, 'the proxy listens elsewhere')
  }

  #onChange(): void {
    const { pool } = this.#workshop!
    const { readiness } = this.#options
    if (pool.serving.length > 0) readiness.release('proxy')
    else readiness.block('proxy')
    if (pool.isLooping) readiness.block(CRASH_LOOP)
    else readiness.release(CRASH_LOOP)
    this.#applied.compare()
  }
}

interface Workshop {
  readonly environment: Environment
  readonly publisher: Publisher
  readonly pool: WorkerPool<WorkerAddresses>
  readonly metrics: WorkerMetrics
  readonly inquest: Inquest
  readonly refused: RefusedInWorkers<WorkerProcess>
  ports: ChosenPorts
  addresses: WorkerAddresses | undefined
}
