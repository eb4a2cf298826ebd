import { SYSTEM_CLOCK } from '../lib/clock.ts'
import { type Component, startInOrder, stopInOrder } from '../lifecycle/components.ts'
import { createDeadline } from '../lifecycle/deadline.ts'
import { createReadiness, type Readiness } from '../lifecycle/readiness.ts'
import type { WorkerProgram } from '../lifecycle/workers/cluster.ts'
import { createLogger, type Logger } from '../observe/logger.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import type { ListenAddress, Settings } from '../settings/settings.ts'
import type { ConfigStore } from '../store/config-store.ts'
import type { CreateAdminApi } from './admin-listener.ts'
import { buildComponents, type Parts } from './components.ts'
import { createEnvironment } from './environment.ts'
import { type Catalogue, loadPlugins, type PluginList } from './load-plugins.ts'
import { OwnPlugins } from './own-plugins/own-plugins.ts'
import { backgroundFailure, pluginThatThrew } from './plugin-failures.ts'
import type { Primary } from './primary.ts'
import { countReload } from './reload-metrics.ts'

export interface GatewayOptions {
  /** With the admin keys resolved. */
  readonly settings: Settings
  readonly catalogue: Catalogue
  readonly adminApi: CreateAdminApi
  readonly logger?: Logger
  /** Reads the settings' `plugins` again when the list is reloaded, throwing a `SettingsError` when they cannot be used; absent: it stays as it is. */
  readonly readPluginList?: () => PluginList | Promise<PluginList>
  /** Takes the place of the store that the settings choose; closed with the gateway. */
  readonly store?: ConfigStore
  /** How a worker is started; without it this process does everything, whatever the settings say about `workers`. */
  readonly worker?: WorkerProgram
  /** `gatewright dev`: the proxy runs in workers however many there are, and own plugins, which the catalogue lacks, are known to them alone. */
  readonly development?: Development
}

/** What belongs to plugins that are edited while the gateway runs. */
export interface Development {
  /** What the control API shows of the newest reload. */
  status(): object
}

/** Where a running gateway listens; what is switched off is absent. */
export interface GatewayAddresses {
  readonly proxy: readonly ListenAddress[]
  /** Proxy listeners with TLS. */
  readonly tls?: readonly ListenAddress[]
  readonly admin?: ListenAddress
  readonly status?: ListenAddress
  readonly control?: ListenAddress
  readonly metrics?: ListenAddress
}

export interface Gateway {
  readonly readiness: Readiness
  /** Resolves when the first snapshot is published and every listener is open. Rejects when one cannot be; then call `stop`. */
  start(): Promise<GatewayAddresses>
  /** Drains within the settings' deadline. Idempotent; may be called while `start` is under way. */
  stop(reason: string): Promise<{ readonly forced: number }>
  /** Whether what nobody caught comes from a plugin, and so concerns nothing else; then it has been logged and counted. */
  isContained(error: unknown): boolean
  /**
   * Replaces all workers, one after the other, without losing a request; those that cannot be replaced stay. Rejects then, and where there are
   * no workers. In development a new one waits for `gate` before it serves, and does not when that rejects.
   */
  swapWorkers(gate?: () => Promise<void>): Promise<void>
  /** Resolves when every change that the store has told of is served. */
  settled(): Promise<void>
}

/** Builds a gateway; nothing is opened before {@link Gateway.start}. */
export function createGateway(options: GatewayOptions): Gateway {
  return new GatewayProcess(options)
}

class GatewayProcess implements Gateway {
  readonly readiness = createReadiness(['config', 'proxy'])
  readonly #options: GatewayOptions
  readonly #logger: Logger
  readonly #abort = new AbortController()
  readonly #started: Component[] = []
  readonly #own: OwnPlugins | undefined
  #parts: Parts | undefined
  #primary: Primary | undefined
  #metrics: MetricRegistry | undefined
  #onPluginFailure: ReturnType<typeof backgroundFailure> | undefined
  #starting: Promise<void> | undefined
  #stopping: Promise<{ readonly forced: number }> | undefined

  constructor(options: GatewayOptions) {
    this.#options = options
    if (options.development) this.#own = new OwnPlugins(options.catalogue)
    this.#logger = options.logger ?? createLogger(options.settings.gatewright.log.level)
  }

  async start(): Promise<GatewayAddresses> {
    this.#starting = this.#startAll()
    await this.#starting
    const { addresses } = this.#parts!
    this.#logger.info({ addresses }, 'the gateway serves')
    return addresses
  }

  stop(reason: string): Promise<{ readonly forced: number }> {
    this.#stopping ??= this.#stopAll(reason)
    return this.#stopping
  }

  isContained(error: unknown): boolean {
    const plugin = pluginThatThrew(error)
    if (plugin === undefined || !this.#onPluginFailure) return false
    this.#onPluginFailure(plugin, error)
    return true
  }

  async swapWorkers(gate?: () => Promise<void>): Promise<void> {
    if (!this.#primary) throw new Error('this process has no workers; set gatewright.workers')
    if (this.#own) this.#own.gate = gate
    try {
      await countReload(this.#metrics!, 'workers', this.#primary.swapWorkers())
    } finally {
      if (this.#own) this.#own.gate = undefined
    }
  }

  async settled(): Promise<void> {
    await this.#parts?.publisher.settled()
  }

  async #createPrimary(): Promise<Primary | undefined> {
    const { settings, worker } = this.#options
    if (!worker || (settings.gatewright.workers === 1 && !this.#own)) return undefined
    const { Primary } = await import('./primary.ts')
    return new Primary({ program: worker, readiness: this.readiness, own: this.#own })
  }

  async #startAll(): Promise<void> {
    const { settings, adminApi, store, readPluginList, development } = this.#options
    const catalogue = this.#own?.catalogue ?? this.#options.catalogue
    const plugins = await loadPlugins(catalogue, settings)
    const primary = await this.#createPrimary()
    this.#primary = primary
    const environment = createEnvironment(settings, plugins, {
      logger: this.#logger,
      ...(primary && { onNode: primary.health.onNode }),
    })
    this.#metrics = environment.metrics
    this.#onPluginFailure = backgroundFailure(environment.logger, environment.metrics)
    this.#parts = buildComponents(environment, {
      readiness: this.readiness,
      adminApi,
      store,
      catalogue,
      readPluginList: readPluginList ?? (() => settings.plugins),
      primary,
      development: development && this.#own && { status: () => development.status(), own: this.#own },
    })
    await startInOrder(this.#parts.components, this.#abort.signal, (component) => {
      this.#started.push(component)
    })
  }

  async #stopAll(reason: string): Promise<{ readonly forced: number }> {
    const { shutdown } = this.#options.settings.gatewright
    this.readiness.startDraining()
    this.#logger.info({ reason, deadlineMs: shutdown.max_drain_ms }, 'the gateway stops')
    this.#abort.abort(new Error(`stopped: ${reason}`))
    // Whatever the start ran into has been told to its caller.
    await this.#starting?.catch(() => undefined)
    const deadline = createDeadline(shutdown.max_drain_ms, SYSTEM_CLOCK)
    try {
      const { forced, problems } = await stopInOrder(this.#started, deadline, SYSTEM_CLOCK)
      for (const problem of problems) this.#logger.error(problem, 'a part did not stop cleanly')
      return { forced }
    } finally {
      deadline.dispose()
    }
  }
}
