import type { Clock } from '../lib/clock.ts'
import type { Readiness } from '../lifecycle/readiness.ts'
import type { Logger } from '../observe/logger.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import type { Settings } from '../settings/settings.ts'
import type { FollowStatus } from '../store/follow.ts'

/** What is not ready as long as the configuration is stale, where the settings ask for that. */
const STALE = 'config_stale'
/** Longest time between two looks. */
const LOOK_MS = 1000

export interface ConfigAgeParts {
  readonly settings: Settings['gatewright']['config_stale']
  readonly clock: Clock
  readonly readiness: Pick<Readiness, 'block' | 'release'>
  readonly logger: Pick<Logger, 'info' | 'error'>
  /** The watch on the store; absent before there is one. */
  follow(): FollowStatus | undefined
}

/**
 * For how long the store has not confirmed what serves: a gateway that is cut off serves on, and somebody should know. As long as the watch is
 * well, what serves is confirmed all the time. Counted by a clock that nobody sets, from the start of the process on.
 */
export class ConfigAge {
  readonly #parts: ConfigAgeParts
  #confirmedAtMs: number
  #heardMs: number | undefined
  #isStale = false
  #cancelLook: (() => void) | undefined

  constructor(parts: ConfigAgeParts) {
    this.#parts = parts
    this.#confirmedAtMs = parts.clock.nowMs()
  }

  /** Looks again and again, until {@link stop}. */
  start(): void {
    const { settings, clock } = this.#parts
    if (settings.after_ms === 0) return
    this.#look()
    this.#cancelLook = clock.schedule(Math.min(LOOK_MS, settings.after_ms), () => this.start())
  }

  stop(): void {
    this.#cancelLook?.()
  }

  /** 0 while the watch is well. */
  get unconfirmedMs(): number {
    const { clock, follow } = this.#parts
    const nowMs = clock.nowMs()
    const status = follow()
    // Any answer of the store counts, whatever the clock on the wall says of it.
    if (status && (status.isConnected || status.lastHeardMs !== this.#heardMs)) this.#confirmedAtMs = nowMs
    this.#heardMs = status?.lastHeardMs
    return nowMs - this.#confirmedAtMs
  }

  /** What a person should know although requests are served. */
  remarks(): readonly string[] {
    if (!this.#isStale) return []
    return [`the store has not confirmed the configuration for ${Math.round(this.unconfirmedMs / 1000)} s`]
  }

  expose(metrics: MetricRegistry): void {
    const unconfirmed = metrics.gauge({
      name: 'gatewright_config_unconfirmed_seconds',
      help: 'For how long the store has not confirmed what serves; 0 while the watch on it is well',
      labels: [],
    })
    const stale = metrics.gauge({
      name: 'gatewright_config_stale',
      help: '1 while that is longer than gatewright.config_stale.after_ms',
      labels: [],
    })
    metrics.beforeCollect(() => {
      unconfirmed.labels().set(this.unconfirmedMs / 1000)
      stale.labels().set(this.#isStale ? 1 : 0)
    })
  }

  #look(): void {
    const { settings, readiness, logger } = this.#parts
    const { unconfirmedMs } = this
    const isStale = unconfirmedMs >= settings.after_ms
    if (isStale === this.#isStale) return
    this.#isStale = isStale
    if (isStale) logger.error({ unconfirmedMs }, 'the store has not confirmed the configuration for long')
    else logger.info('the store confirms the configuration again')
    if (!settings.fail_readiness) return
    if (isStale) readiness.block(STALE)
    else readiness.release(STALE)
  }
}
