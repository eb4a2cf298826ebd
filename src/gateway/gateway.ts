import { SYSTEM_CLOCK } from '../lib/clock.ts'
import { ComponentStates } from '../lifecycle/component-states.ts'
import { type Component, startInOrder, stopInOrder } from '../lifecycle/components.ts'
import { createDeadline, type Deadline, withinLimit } from '../lifecycle/deadline.ts'
import { Drain } from '../lifecycle/drain.ts'
import { type LifecycleHooks, runStopHook, type StopHook } from '../lifecycle/hooks.ts'
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
import { countInvalidSettings, countReload } from './reload-metrics.ts'
import { differingKeys, takenOver } from './taken-over.ts'

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
  readonly hooks?: LifecycleHooks<GatewayAddresses>
  /** Ends the process in good order, by way of `stop`; called for `POST /quitquitquit`, where the settings allow that. */
  readonly quit?: () => void
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
  /**
   * Reads the settings again and takes over what can be without a start: the list of plugins, and in new workers how requests are read. Resolves with
   * the keys that wait for the next start. Rejects with what `read` throws, and when the workers could not be replaced; those that serve stay then.
   */
  reloadSettings(read: () => Settings): Promise<readonly string[]>
  /** Resolves when every change that the store has told of is served. */
  settled(): Promise<void>
}

/** Builds a gateway; nothing is opened before {@link Gateway.start}. */
export function createGateway(options: GatewayOptions): Gateway {
  return new GatewayProcess(options)
}

/** What is not ready as long as there is no configuration. */
const CONFIG = 'config'

/** What is not ready as long as its hook has not ended. */
const AFTER_START = 'afterStart'

class GatewayProcess implements Gateway {
  readonly readiness = createReadiness([CONFIG, 'proxy'])
  readonly #drain = new Drain()
  readonly #states = new ComponentStates(SYSTEM_CLOCK.nowMs)
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
  #isRunning = false
  /** What the processes that take requests run with. */
  #inForce: Settings
  #stopping: Promise<{ readonly forced: number }> | undefined

  constructor(options: GatewayOptions) {
    this.#options = options
    this.#inForce = options.settings
    if (options.development) this.#own = new OwnPlugins(options.catalogue)
    if (options.hooks?.afterStart) this.readiness.block(AFTER_START)
    this.#logger = options.logger ?? createLogger(options.settings.gatewright.log.level)
  }

  async start(): Promise<GatewayAddresses> {
    const cancelBootLimit = this.#limitBoot()
    this.#starting = this.#startAll().finally(cancelBootLimit)
    await this.#starting
    return this.#parts!.addresses
  }

  stop(reason: string): Promise<{ readonly forced: number }> {
    this.#stopping ??= this.#stopAll(reason)
    return this.#stopping
  }

  isContained(error: unknown): boolean {
    const plugin = pluginThatThrew(error, this.#options.settings.gatewright.plugin_paths)
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

  async reloadSettings(read: () => Settings): Promise<readonly string[]> {
    if (!this.#isRunning || this.#stopping) throw new Error('the gateway does not run')
    let next: Settings
    try {
      next = read()
    } catch (error) {
      countInvalidSettings(this.#metrics!)
      throw error
    }
    return countReload(this.#metrics!, 'settings', this.#takeOver(next))
  }

  async #takeOver(next: Settings): Promise<readonly string[]> {
    await this.#parts!.reloadPlugins()
    if (this.#primary) {
      await this.#primary.takeOver(next)
      this.#inForce = takenOver(this.#inForce, next)
    }
    return differingKeys(this.#inForce, next)
  }

  async settled(): Promise<void> {
    await this.#parts?.publisher.settled()
  }

  /** Calls the start off when there is no configuration in time; the result ends that. */
  #limitBoot(): () => void {
    const { gatewright, store } = this.#options.settings
    const { timeout_ms } = gatewright.boot
    if (timeout_ms === 0) return () => undefined
    return SYSTEM_CLOCK.schedule(timeout_ms, () => {
      if (!this.readiness.reasons().includes(CONFIG)) return
      const message = `gatewright.boot.timeout_ms: no configuration within ${timeout_ms} ms from the store (${store.type}); the log says why, 0 waits for ever`
      this.#abort.abort(new Error(message))
    })
  }

  async #createPrimary(): Promise<Primary | undefined> {
    const { settings, worker } = this.#options
    if (!worker || (settings.gatewright.workers === 1 && !this.#own)) return undefined
    const { Primary } = await import('./primary.ts')
    return new Primary({ program: worker, readiness: this.readiness, own: this.#own })
  }

  async #startAll(): Promise<void> {
    const { settings, adminApi, store, readPluginList, development, hooks = {} } = this.#options
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
      drain: this.#drain,
      states: this.#states,
      quit: this.#options.quit,
      ...(hooks.beforeStart && { beforeStart: (signal: AbortSignal) => hooks.beforeStart!(signal) }),
      ...(hooks.afterStop && { afterStop: () => this.#stopHook('afterStop', () => hooks.afterStop!()) }),
      adminApi,
      store,
      catalogue,
      readPluginList: readPluginList ?? (() => settings.plugins),
      primary,
      development: development && this.#own && { status: () => development.status(), own: this.#own },
    })
    const beganMs = SYSTEM_CLOCK.nowMs()
    const upAfterMs: Record<string, number> = {}
    await startInOrder(this.#parts.components, this.#abort.signal, (component) => {
      this.#started.push(component)
      upAfterMs[component.name] = Math.round(SYSTEM_CLOCK.nowMs() - beganMs)
    })
    const { addresses, publisher } = this.#parts
    await hooks.afterStart?.(addresses)
    this.#abort.signal.throwIfAborted()
    this.#isRunning = true
    this.readiness.release(AFTER_START)
    this.#logger.info({ addresses, revision: publisher.status.published, upAfterMs }, 'the gateway serves')
  }

  async #stopAll(reason: string): Promise<{ readonly forced: number }> {
    const { shutdown } = this.#options.settings.gatewright
    const beganMs = SYSTEM_CLOCK.nowMs()
    // Absolute, from the signal on: whatever the stop waits for, a start included, counts.
    const deadline = createDeadline(shutdown.max_drain_ms, SYSTEM_CLOCK)
    this.readiness.startDraining()
    this.#logger.info(
      { reason, deadlineMs: shutdown.max_drain_ms, pending: this.#drain.pending() },
      'the gateway stops',
    )
    this.#abort.abort(new Error(`stopped: ${reason}`))
    try {
      // Whatever the start ran into has been told to its caller.
      const starting = this.#starting ?? Promise.resolve()
      await withinLimit(() => starting, deadline.remainingMs(), SYSTEM_CLOCK)
      const forced = await this.#stopWithin(deadline, reason)
      const { acknowledged, forced: cut } = this.#drain
      const tookMs = Math.round(SYSTEM_CLOCK.nowMs() - beganMs)
      this.#logger.info({ acknowledged, forced: cut, tookMs }, 'the gateway has stopped')
      return { forced }
    } finally {
      deadline.dispose()
    }
  }

  async #stopWithin(deadline: Deadline, reason: string): Promise<number> {
    const { beforeStop } = this.#options.hooks ?? {}
    if (beforeStop && this.#isRunning) await this.#stopHook('beforeStop', () => beforeStop(reason), deadline)
    const { forced, problems } = await stopInOrder(this.#started, deadline, {
      clock: SYSTEM_CLOCK,
      drain: this.#drain,
    })
    for (const problem of problems) this.#logger.error(problem, 'a part did not stop cleanly')
    return forced
  }

  /** A hook has the time of a plugin's. */
  async #stopHook(name: StopHook, hook: () => void | Promise<void>, deadline?: Deadline): Promise<void> {
    const { plugin_close_ms } = this.#options.settings.gatewright.shutdown
    const limitMs = Math.min(plugin_close_ms, deadline?.remainingMs() ?? plugin_close_ms)
    const problem = await runStopHook(name, hook, { limitMs, clock: SYSTEM_CLOCK })
    if (problem !== undefined) this.#logger.error({ hook: name, problem }, 'a hook of the stop went wrong')
  }
}
