import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Logger } from '../../observe/logger.ts'
import type { RefusalObserver } from '../refusal.ts'
import { AdmissionLimit, TICK_MS } from './admission-limit.ts'
import { OverloadGate } from './overload-gate.ts'
import { TurnAway, type TurnAwayOptions } from './turn-away.ts'
import {
  hasThreshold,
  mountUnderPressure,
  type PressureReason,
  type PressureThresholds,
} from './under-pressure.ts'

export interface PressureGateOptions extends TurnAwayOptions {
  /** How late the event loop may be all the time before the limit begins to work; 0 for always. */
  readonly overloadDelayMs: number
  readonly thresholds: PressureThresholds
  readonly logger: Logger
  /** Told of every request that is turned away. */
  readonly onRefused: RefusalObserver
  /** Requests that were let in so far. */
  readonly begun: () => number
}

type Reason = PressureReason | 'overload'

/** Turns requests away while this process has more to do than it can: one comparison for each request while it has not. */
export class PressureGate {
  /** For more requests than can be worked off. */
  readonly overload: OverloadGate
  readonly #options: PressureGateOptions
  readonly #limit: AdmissionLimit
  readonly #away: TurnAway
  #app: FastifyInstance | undefined
  #refused = 0
  #isTold = false

  constructor(options: PressureGateOptions) {
    this.#options = options
    this.#away = new TurnAway(options)
    this.#limit = new AdmissionLimit({
      overloadDelayMs: options.overloadDelayMs || Number.POSITIVE_INFINITY,
      nowMs: () => performance.now(),
      measure: () => {
        const { user, system } = process.cpuUsage()
        const { active } = performance.eventLoopUtilization()
        return {
          nowMs: performance.now(),
          busyMs: active,
          cpuMs: (user + system) / 1000,
          begun: options.begun(),
        }
      },
      afterTurn: setImmediate,
    })
    this.overload = new OverloadGate({
      limit: this.#limit,
      away: this.#away,
      onRefused: (request) => this.#note(request, 'overload'),
    })
  }

  /** Whether requests are being turned away. */
  get isRefusing(): boolean {
    return this.#limit.isLimiting || this.#isUnderPressure
  }

  /** Begins to measure, until the app is closed. The routes that are to be guarded come after it. */
  async mount(app: FastifyInstance): Promise<void> {
    const { thresholds } = this.#options
    if (hasThreshold(thresholds)) {
      await mountUnderPressure(app, thresholds, (request, response, reason) =>
        this.#turnAway(request, response, reason),
      )
    }
    this.#app = app
    const ticker = setInterval(() => this.#tick(), TICK_MS).unref()
    app.addHook('onClose', (_instance, done) => {
      clearInterval(ticker)
      done()
    })
  }

  get #isUnderPressure(): boolean {
    return this.#app?.isUnderPressure?.() ?? false
  }

  #tick(): void {
    this.#limit.tick()
    if (this.isRefusing !== this.#isTold) this.#tell()
  }

  #turnAway(request: IncomingMessage, response: ServerResponse, reason: Reason): void {
    this.#away.answer(request, response)
    this.#note(request, reason)
  }

  #note(request: IncomingMessage, reason: Reason): void {
    this.#refused++
    const peerAddr = request.socket.remoteAddress ?? ''
    this.#options.onRefused({ status: 503, reason, request, peerAddr, isOneOfMany: true })
  }

  /** One line for the beginning and one for the end, instead of one for each request. */
  #tell(): void {
    const { logger } = this.#options
    this.#isTold = this.isRefusing
    if (this.#isTold) {
      const perTurn = this.#limit.isLimiting ? this.#limit.perTurn : undefined
      logger.warn(
        { perTurn, ...this.#app?.memoryUsage?.() },
        'there is more to do than this process can: requests are refused',
      )
    } else {
      logger.info({ refused: this.#refused }, 'requests are no longer refused')
      this.#refused = 0
    }
  }
}
