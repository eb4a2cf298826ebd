import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../lib/clock.ts'
import type { Environment } from '../lib/env-variables.ts'
import type { Logger } from '../observe/logger.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import { AskWaiters } from './ask-waiters.ts'
import { AskedReferences } from './asked-references.ts'
import { BackendTable } from './backend-table.ts'
import type { ManagerConfig } from './backends/backend.ts'
import { FetchQueue } from './fetch-queue.ts'
import { FetchReport } from './fetch-report.ts'
import type { SecretFetch } from './http-fetch.ts'
import { type Asked, answerOf, type LookUp, learn, type Outcome } from './look-up.ts'
import { readEnv } from './read-env.ts'
import { parseReference, type StoredReference } from './reference.ts'
import { NOT_FETCHED, type SecretAnswer, type SecretSource, type SecretStatus } from './secret-source.ts'

export interface SecretCacheOptions {
  readonly env: Environment
  /** How managers are called: `createHttpFetch(…)`. */
  readonly fetch: SecretFetch
  /** Its timers must not keep the process alive: `BACKGROUND_CLOCK`. */
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: MetricRegistry
  /** Age before which a value is asked for again. */
  readonly ttlMs: number
  /** Time after which what failed is asked for again, at the latest. */
  readonly negativeTtlMs: number
  /** Most values, and most failures, that are kept although no document uses them. */
  readonly count: number
  readonly negativeCount: number
  /**
   * Answers that differ from what readers were told, or that came after the wait for them; those of a tenth of a second together.
   * Must not throw.
   */
  readonly onChange: (references: ReadonlySet<string>) => void
  /** Milliseconds since the epoch; default `Date.now`. */
  readonly wallMs?: () => number
  /** Uniform in [0, 1); default `Math.random`. */
  readonly random?: () => number
}

/** A start with thousands of secrets must not make thousands of publications. */
const GATHER_MS = 100

const NO_REFERENCE = { ok: false, reason: 'this is no reference to a secret' } as const

/**
 * All secrets that are kept elsewhere. Reading is synchronous; values come before, through {@link ask} or {@link retain}, and what
 * is retained is fetched again before its time is up. A value outlives failing calls; it is taken away when its manager says that
 * it does not exist, or is deleted itself.
 */
export class SecretCache implements SecretSource {
  readonly #options: SecretCacheOptions
  readonly #random: () => number
  readonly #backends: BackendTable
  readonly #queue: FetchQueue
  readonly #waiters: AskWaiters
  readonly #report: FetchReport
  readonly #references = new AskedReferences()
  /** Uses of references that no manager is asked for. */
  readonly #plain = new Map<string, number>()
  #changed = new Set<string>()
  #cancelAnnouncing: (() => void) | undefined
  #isClosed = false

  constructor(options: SecretCacheOptions) {
    const { clock, env, fetch, logger, metrics, wallMs = Date.now } = options
    this.#options = options
    this.#random = options.random ?? Math.random
    this.#backends = new BackendTable({ env, fetch, nowMs: () => clock.nowMs(), wallMs })
    this.#queue = new FetchQueue({
      clock,
      findBackend: (manager) => this.#backends.find(manager),
      onOutcome: (lookUp, outcome) => this.#settle(lookUp, outcome),
    })
    this.#waiters = new AskWaiters(clock)
    this.#report = new FetchReport(logger, metrics)
  }

  /** `id` as in `secrets/vault/1`, `config` the decrypted document. What came through another configuration is fetched again. */
  setManager(id: string, config: ManagerConfig): void {
    if (!this.#isClosed && this.#backends.set(id, config)) this.#restart(id)
  }

  /** Values that came through it count no longer. */
  deleteManager(id: string): void {
    if (this.#backends.delete(id)) this.#restart(id)
  }

  read(text: string): SecretAnswer {
    const stored = this.#storedOrAnswer(text)
    if ('ok' in stored) return stored
    if (this.#isClosed) return NOT_FETCHED
    const asked = this.#references.get(text) ?? this.#startUnasked(text, stored)
    asked.told = asked.answer ?? NOT_FETCHED
    return asked.told
  }

  /** Resolves when each reference has an answer, good or bad, or after `waitMs`. What was answered before is not asked for again. */
  ask(references: Iterable<string>, waitMs: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    this.#forgetSurplus()
    const open = new Set<Asked>()
    for (const text of references) {
      const asked = this.#start(text)
      if (asked !== undefined && asked.answer === undefined) open.add(asked)
    }
    return this.#waiters.wait(open, waitMs)
  }

  /**
   * A document uses these: they are fetched if nobody asked for them, and kept fresh until {@link release} was called as often.
   * Retain what a document's new version refers to before releasing what its old one did.
   */
  retain(references: Iterable<string>): void {
    if (this.#isClosed) return
    for (const text of references) {
      const asked = this.#start(text)
      if (asked) this.#references.retain(asked)
      else this.#retainPlain(text)
    }
  }

  /** Undoes one {@link retain}. What nothing retains any more is forgotten. */
  release(references: Iterable<string>): void {
    for (const text of references) {
      const asked = this.#references.get(text)
      if (asked) {
        if (this.#references.release(asked)) this.#forget(asked)
        continue
      }
      const uses = (this.#plain.get(text) ?? 1) - 1
      if (uses === 0) this.#plain.delete(text)
      else this.#plain.set(text, uses)
    }
  }

  /** What the control API shows, in the order of the references. */
  status(): SecretStatus[] {
    const stored = [...this.#references.values()].map((asked) => this.#statusOf(asked))
    const plain = [...this.#plain.keys()].map((text) => this.#plainStatus(text))
    return [...stored, ...plain].sort((one, other) => (one.reference < other.reference ? -1 : 1))
  }

  /** Ends everything that is under way; waits of {@link ask} end at once. */
  close(): void {
    this.#isClosed = true
    this.#cancelAnnouncing?.()
    this.#queue.close()
    this.#backends.close()
    for (const lookUp of this.#references.lookUps()) lookUp.cancelNext?.()
    this.#references.clear()
    this.#plain.clear()
    this.#waiters.close()
  }

  /** A reference that a manager is asked for, or the answer for any other. */
  #storedOrAnswer(text: string): StoredReference | SecretAnswer {
    const known = this.#references.get(text)
    if (known) return known.reference
    const parsed = parseReference(text) ?? NO_REFERENCE
    if (!parsed.ok) return parsed
    return parsed.reference.kind === 'env' ? readEnv(this.#options.env, parsed.reference) : parsed.reference
  }

  /** No call is made for it, so that no outcome of a call would tell why it has no value. */
  #retainPlain(text: string): void {
    const uses = this.#plain.get(text) ?? 0
    this.#plain.set(text, uses + 1)
    if (uses > 0) return
    const answer = this.read(text)
    if (!answer.ok) this.#report.unanswered(text, answer.reason)
  }

  /** Undefined for a reference that no manager is asked for. */
  #start(text: string): Asked | undefined {
    const stored = this.#storedOrAnswer(text)
    return 'ok' in stored ? undefined : this.#startStored(text, stored)
  }

  #startStored(text: string, stored: StoredReference): Asked {
    const asked = this.#references.get(text) ?? this.#references.add(text, stored)
    if (asked.answer === undefined) {
      asked.lookUp.isStarted = true
      this.#queue.add(asked.lookUp)
    }
    return asked
  }

  /** Whoever reads first and asks later, or never, is told once there is an answer. */
  #startUnasked(text: string, stored: StoredReference): Asked {
    this.#forgetSurplus()
    return this.#startStored(text, stored)
  }

  /** What no document uses, such as what a dry run asked for, may not pile up. */
  #forgetSurplus(): void {
    for (const asked of this.#references.surplus(this.#options)) {
      if (!this.#waiters.isAwaited(asked)) this.#forget(asked)
    }
  }

  #restart(manager: string): void {
    for (const lookUp of this.#references.lookUps()) {
      if (lookUp.manager !== manager || !lookUp.isStarted) continue
      lookUp.cancelNext?.()
      this.#queue.restart(lookUp)
    }
  }

  #settle(lookUp: LookUp, outcome: Outcome): void {
    this.#report.outcome(lookUp, outcome)
    learn(lookUp, outcome, this.#options.clock.nowMs())
    for (const asked of lookUp.asked) this.#answer(asked)
    this.#schedule(lookUp)
  }

  #answer(asked: Asked): void {
    const known = asked.told ?? asked.answer
    asked.answer = answerOf(asked)
    const isNews =
      known === undefined ? !this.#waiters.isAwaited(asked) : !isDeepStrictEqual(known, asked.answer)
    if (isNews) this.#announce(asked.text)
    this.#waiters.settle(asked)
  }

  #announce(text: string): void {
    this.#changed.add(text)
    this.#cancelAnnouncing ??= this.#options.clock.schedule(GATHER_MS, () => {
      const changed = this.#changed
      this.#changed = new Set()
      this.#cancelAnnouncing = undefined
      this.#options.onChange(changed)
    })
  }

  #schedule(lookUp: LookUp): void {
    const { clock, ttlMs, negativeTtlMs } = this.#options
    const isGood = lookUp.problem === undefined && [...lookUp.asked].every(({ answer }) => answer?.ok)
    // Spread out, so that what was fetched together at the start is not fetched together for ever; always before the time is up.
    const share = 0.8 + 0.2 * this.#random()
    lookUp.cancelNext?.()
    lookUp.cancelNext = clock.schedule((isGood ? ttlMs : negativeTtlMs) * share, () => this.#renew(lookUp))
  }

  #renew(lookUp: LookUp): void {
    lookUp.cancelNext = undefined
    for (const asked of lookUp.asked) if (asked.uses === 0) this.#forget(asked)
    if (lookUp.asked.size > 0) this.#queue.add(lookUp)
  }

  #forget(asked: Asked): void {
    const { lookUp } = asked
    const isLast = this.#references.forget(asked)
    this.#waiters.settle(asked)
    if (!isLast) return
    lookUp.cancelNext?.()
    this.#queue.remove(lookUp)
  }

  #statusOf({ text, lookUp, answer }: Asked): SecretStatus {
    const status = { reference: text, manager: lookUp.manager }
    if (answer === undefined) return { ...status, state: 'pending' }
    if (!answer.ok) return { ...status, state: 'failed', reason: answer.reason }
    const ageMs = Math.round(this.#options.clock.nowMs() - lookUp.fetchedAtMs)
    if (lookUp.problem === undefined) return { ...status, state: 'ok', ageMs }
    return { ...status, state: 'stale', reason: lookUp.problem, ageMs }
  }

  /** Of a reference that no manager is asked for. */
  #plainStatus(reference: string): SecretStatus {
    const parsed = parseReference(reference)
    const manager = parsed?.ok && parsed.reference.kind === 'env' ? { manager: 'env' } : {}
    const answer = this.read(reference)
    if (answer.ok) return { reference, ...manager, state: 'ok' }
    return { reference, ...manager, state: 'failed', reason: answer.reason }
  }
}
