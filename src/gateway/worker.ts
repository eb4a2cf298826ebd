import { BACKGROUND_CLOCK, SYSTEM_CLOCK } from '../lib/clock.ts'
import { stopInOrder } from '../lifecycle/components.ts'
import { createDeadline } from '../lifecycle/deadline.ts'
import { Drain } from '../lifecycle/drain.ts'
import { EXIT_CODE } from '../lifecycle/exit-code.ts'
import { channelToPrimary, ignoreGroupSignals, leavePrimary } from '../lifecycle/workers/cluster.ts'
import { Link } from '../lifecycle/workers/link.ts'
import { Siblings } from '../lifecycle/workers/siblings.ts'
import { DRAIN_GRACE_MS } from '../lifecycle/workers/worker-process.ts'
import { createLogger, type Logger } from '../observe/logger.ts'
import type { Exposed } from '../observe/merged-exposition.ts'
import type { AnyPlugin } from '../plugin/definition.ts'
import type { LocalOperations } from '../plugin/node-operations.ts'
import type { PluginRegistry } from '../plugin/registry.ts'
import { createRouter } from '../router/match.ts'
import type { Settings } from '../settings/settings.ts'
import type { Barred } from '../snapshot/barred.ts'
import type { Plan } from '../snapshot/plan.ts'
import { Publisher, type PublisherOptions } from '../snapshot/publisher.ts'
import { type Following, followStore } from '../store/follow.ts'
import { RelayStore } from '../store/relay-store.ts'
import { RelayedAgentTypes } from './agent-types.ts'
import { DataPlane } from './data-plane.ts'
import { answerDebug } from './debug-feed.ts'
import { relayedOrigins } from './discovery-feed.ts'
import { registerDrainMetrics } from './drain-metrics.ts'
import { createEnvironment, type Environment } from './environment.ts'
import { RelayedHealth } from './health-feed.ts'
import { removeSeriesOfTheGone } from './known-owners.ts'
import { relayedNodeOperations } from './node-operation-feed.ts'
import { answerPluginChecks } from './own-plugins/check-feed.ts'
import { describePlugin } from './own-plugins/described-plugin.ts'
import { type LoadedWorkerPlugins, WorkerLoader, type WorkerPlugins } from './own-plugins/worker-loader.ts'
import { backgroundFailure, pluginThatThrew } from './plugin-failures.ts'
import { PluginReload } from './plugin-reload.ts'
import { LastWords } from './poison/words.ts'
import { prewarm, prewarmAgain } from './prewarm.ts'
import { RelayedSecrets } from './relayed-secrets.ts'
import { type RuntimeMetrics, registerRuntimeMetrics } from './runtime-metrics.ts'
import { feedStore } from './store-feed.ts'
import { answerWorkerOperations, relayedWorkerOperations } from './worker-operation-feed.ts'
import type { DrainOrder, WorkerAddresses, WorkerPrepared, WorkerStart } from './worker-start.ts'

/** After an uncaught exception nothing can be relied on: how long requests under way may still take. */
const AFTER_UNCAUGHT_MS = 200

/** Runs this process as a worker of the primary that started it; resolves with the exit code. */
export function runWorker(known: WorkerPlugins): Promise<number> {
  ignoreGroupSignals()
  const link = new Link(channelToPrimary())
  const worker: { parts?: WorkerParts; prepared?: Promise<unknown>; isDismissed?: boolean } = {}
  const siblings = new Siblings()
  const loader = new WorkerLoader(known)
  link.on('ping', () => process.memoryUsage.rss())
  link.on('warm', (start: WorkerStart) => loader.warm(start))
  const prepare = async (start: WorkerStart): Promise<WorkerPrepared> => {
    const loaded = await loader.load(start)
    worker.parts = await WorkerParts.create(link, { ...start, ...loaded })
    await worker.parts.prepare()
    loaded.own?.assertCompiled()
    return { own: loaded.own?.plugins.map(describePlugin) ?? [] }
  }
  link.on('prepare', (start: WorkerStart) => {
    worker.prepared = prepare(start)
    return worker.prepared
  })
  link.on('listen', () => worker.parts!.listen())
  link.on('metrics', (place: number | null) => worker.parts!.expose(place ?? undefined))
  answerWorkerOperations(link, () => worker.parts)
  answerPluginChecks(link, () => worker.parts?.plugins)
  // It may have begun with the list as it was before.
  link.on('plugins', (names: readonly string[]) => worker.prepared?.then(() => worker.parts!.enable(names)))
  link.on('siblings', (pids: readonly number[]) => siblings.learn(pids))
  link.on('draining', () => worker.parts!.startDraining())
  link.on('drain', (order: DrainOrder) => worker.parts!.stop(order))
  return new Promise((resolve) => {
    const end = async (exitCode: number, deadlineMs: number): Promise<void> => {
      await worker.parts?.stop({ deadlineMs, minDrainMs: 0 }).catch(() => undefined)
      resolve(exitCode)
    }
    link.on('bye', () => {
      worker.isDismissed = true
      void leavePrimary()
    })
    // In good order after `bye`, else because the primary is gone: nobody hands over connections any more, nor ends a worker that hangs.
    link.onClose(async () => {
      const goneAtMs = SYSTEM_CLOCK.nowMs()
      const { parts } = worker
      if (parts) await parts.stop({ deadlineMs: parts.maxDrainMs, minDrainMs: 0 }).catch(() => undefined)
      if (parts && !worker.isDismissed) {
        const goneMs = SYSTEM_CLOCK.nowMs() - goneAtMs
        await siblings.outlive(parts.maxDrainMs + DRAIN_GRACE_MS - goneMs, SYSTEM_CLOCK)
      }
      resolve(EXIT_CODE.clean)
    })
    // While it loads, nobody else would say why it ended.
    const logger = () => worker.parts?.logger ?? createLogger('error').child({ worker: process.pid })
    const onUncaught = (error: unknown): void => {
      if (worker.parts?.contains(error)) return
      logger().fatal({ err: error }, 'uncaught failure in a worker: it ends')
      void end(EXIT_CODE.uncaught, AFTER_UNCAUGHT_MS)
    }
    process.on('uncaughtException', onUncaught)
    process.on('unhandledRejection', onUncaught)
  })
}

interface WorkerSource extends LoadedWorkerPlugins {
  readonly settings: Settings
  readonly wordsForMs: number
}

/** The data plane of one worker; what it knows comes from the primary. */
class WorkerParts {
  readonly settings: Settings
  readonly logger: Logger
  readonly #link: Link
  readonly #environment: Environment
  readonly #store: RelayStore
  readonly #publisher: Publisher
  readonly #plane: DataPlane
  readonly #drain = new Drain()
  readonly #reload: PluginReload
  readonly #onBackgroundFailure: ReturnType<typeof backgroundFailure>
  readonly #runtime: RuntimeMetrics
  readonly #abort = new AbortController()
  #enabled: readonly string[]
  /** As it was told last; not told yet below 0. */
  #refusedCount = -1
  #following: Following | undefined
  #warming: Promise<void> | undefined
  #stopping: Promise<{ forced: number }> | undefined

  private constructor(link: Link, source: WorkerSource, environment: Environment) {
    const { settings, catalogue, plugins } = source
    this.#link = link
    this.settings = settings
    this.logger = environment.logger
    this.#enabled = plugins
    this.#environment = environment
    registerDrainMetrics(environment.metrics, this.#drain)
    this.#runtime = registerRuntimeMetrics(environment.metrics, 'worker')
    this.#store = new RelayStore({ logger: environment.logConfiguration })
    feedStore(link, this.#store)
    answerDebug(link, environment.debug)
    const words = new LastWords(link, source.wordsForMs)
    this.#publisher = createPublisher(environment, {
      onCompile: words.compiling,
      onPublish: ({ revision }) => {
        words.compiled()
        this.#tellRefused()
        link.tellLatest('applied', revision)
      },
    })
    link.on('bar', (all: readonly Barred[]) => {
      for (const one of all) this.#publisher.bar(one)
    })
    this.#plane = new DataPlane(environment, words.watched(this.#publisher), this.#drain)
    this.#onBackgroundFailure = backgroundFailure(environment.logger, environment.metrics)
    this.#reload = new PluginReload({
      catalogue,
      attributes: settings.plugin_attr,
      plugins: environment.plugins,
      publisher: this.#publisher,
      logger: environment.logConfiguration,
      readList: () => this.#enabled,
    })
  }

  static async create(link: Link, source: WorkerSource): Promise<WorkerParts> {
    const { settings, registry, own } = source
    const logger = createLogger(settings.gatewright.log.level).child({ worker: process.pid })
    const health = new RelayedHealth(link)
    const environment = createEnvironment(settings, registry, {
      logger,
      relayed: {
        health,
        origins: relayedOrigins(link),
        agentTypes: new RelayedAgentTypes(link),
        secrets: new RelayedSecrets(link, { env: process.env, clock: BACKGROUND_CLOCK }),
        nodeOperations: (local) => relayedNodeOperations(link, local, (name) => own?.has(name) ?? false),
        workerOperations: relayedWorkerOperations(link),
        exposition: () => link.ask<string>('exposition'),
      },
    })
    if (environment.monitor) health.attach(environment.monitor)
    return new WorkerParts(link, source, environment)
  }

  /** Everything but the listeners: compiles the configuration as the primary tells it, from now on. */
  async prepare(): Promise<void> {
    const { settings, logConfiguration } = this.#environment
    // Everything that hears of it is there.
    this.#link.tell('feed')
    this.#following = followStore({
      store: this.#store,
      prefix: `${settings.store.prefix}/`,
      listener: this.#publisher,
      logger: logConfiguration,
    })
    await this.#publisher.firstPublish(this.#abort.signal)
    await prewarm(this.#environment, { signal: this.#abort.signal, sendsRequests: true })
  }

  async listen(): Promise<WorkerAddresses> {
    this.#reload.mounting()
    // Nobody who waits for a worker waits for these too.
    this.#warming = prewarmAgain(this.#environment, this.#abort.signal)
    return this.#plane.start()
  }

  get plugins(): PluginRegistry {
    return this.#environment.plugins
  }

  find(plugin: string): AnyPlugin | undefined {
    return this.#environment.plugins.get(plugin)
  }

  get operations(): LocalOperations {
    return this.#environment.ownOperations
  }

  /** The metrics of this process, which is in that place, or in none any more. */
  async expose(place?: number): Promise<Exposed> {
    this.#runtime.setPlace(place)
    const { metrics } = this.#environment
    let text = ''
    for await (const piece of metrics.exposeInSlices()) text += piece
    return { text, owners: metrics.owners, expiries: metrics.expiries }
  }

  async enable(names: readonly string[]): Promise<void> {
    this.#enabled = names
    await this.#reload.reload()
  }

  /** The primary, which does not compile all plugins, does not find out by itself. */
  #tellRefused(): void {
    const { quarantined } = this.#publisher.status
    if (quarantined.length > 0 || this.#refusedCount !== 0) this.#link.tellLatest('refused', quarantined)
    this.#refusedCount = quarantined.length
  }

  /** Whether what nobody caught comes from a plugin, and so concerns nothing else. */
  contains(error: unknown): boolean {
    const plugin = pluginThatThrew(error, this.settings.gatewright.plugin_paths)
    if (plugin === undefined) return false
    this.#onBackgroundFailure(plugin, error)
    return true
  }

  get maxDrainMs(): number {
    return this.settings.gatewright.shutdown.max_drain_ms
  }

  startDraining(): void {
    this.#plane.startDraining()
  }

  /** Ends in good order until the deadline; resolves with how much was cut. Idempotent. */
  stop(order: DrainOrder): Promise<{ forced: number }> {
    this.#stopping ??= this.#stop(order)
    return this.#stopping
  }

  async #stop({ deadlineMs, minDrainMs }: DrainOrder): Promise<{ forced: number }> {
    this.#abort.abort(new Error('the worker stops'))
    const deadline = createDeadline(deadlineMs, SYSTEM_CLOCK)
    const nothing = async () => undefined
    try {
      const { forced, problems } = await stopInOrder(
        [
          { name: 'proxy', rank: 1, start: nothing, stop: (until) => this.#plane.stop(until, minDrainMs) },
          { name: 'configuration', rank: 0, start: nothing, stop: () => this.#close() },
        ],
        deadline,
        { clock: SYSTEM_CLOCK, drain: this.#drain },
      )
      for (const problem of problems) this.logger.error(problem, 'a part of a worker did not stop cleanly')
      this.#link.tell('counted', await this.expose())
      return { forced }
    } finally {
      deadline.dispose()
    }
  }

  async #close(): Promise<number> {
    const { secrets, discovery } = this.#environment
    await this.#warming
    await this.#following?.close()
    await this.#store.close()
    await this.#publisher.settled()
    this.#publisher.close()
    secrets.cache.close()
    discovery.close()
    this.#runtime.close()
    return 0
  }
}

function createPublisher(
  environment: Environment,
  observers: Pick<PublisherOptions, 'onCompile' | 'onPublish'>,
): Publisher {
  const { settings, metadata, compile, secrets, metrics, pools, agentTypes } = environment
  const publisher = new Publisher({
    prefix: settings.store.prefix,
    environment: compile,
    router: createRouter<Plan>(settings.apisix.router.http),
    metadata,
    logger: environment.logConfiguration,
    now: () => Date.now(),
    decrypt: secrets.decrypt,
    secrets: secrets.cache,
    ...observers,
  })
  environment.published.attach(publisher)
  secrets.listen((references) => publisher.onSecrets(references))
  removeSeriesOfTheGone(metrics, { graph: publisher.graph, pools, agentTypes })
  return publisher
}
