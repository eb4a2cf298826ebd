import { type Deadline, unlessAborted } from '../deadline.ts'
import type { PoolOptions } from './pool-options.ts'
import { type Place, Slot } from './slot.ts'
import { type StartParts, startAt } from './start-at.ts'
import { WorkerProcess } from './worker-process.ts'

const LOOP_CHECK_MS = 1000
/** One that has only just started is not replaced for its memory: the limit is too low, and the next one would be no better. */
const SHORTEST_LIFE_MS = 5000

/**
 * Keeps a number of workers serving: one that ends is replaced, by a standby that has everything but its listeners, so that neither the start of a
 * process nor the size of the configuration counts; one that keeps crashing is started later each time; one that hangs is killed.
 */
export class WorkerPool<Addresses> {
  readonly #options: PoolOptions<Addresses>
  /** May answer a request: told to listen, and not gone; those that drain are among them. */
  readonly answering = new Set<WorkerProcess>()
  readonly #slots: Slot[]
  readonly #spareSlot: Slot
  readonly #draining = new Set<Promise<number>>()
  readonly #beingReplaced = new Set<WorkerProcess>()
  /** Made by a swap, and in no place yet. */
  #coming: WorkerProcess | undefined
  readonly #abandoned = new WeakSet<WorkerProcess>()
  /** Killed because they did not answer. */
  readonly #silent = new WeakSet<WorkerProcess>()
  #generation = 1
  #isStarted = false
  #isStopping = false
  #swapping: Promise<void> | undefined
  #nextSwap: Promise<void> | undefined
  /** How many the next swap leaves; absent: as many as there are. */
  #wanted: number | undefined
  /** Of places that are no more. */
  #gone = { restarts: 0, renewals: 0 }
  #cancelLoopCheck: (() => void) | undefined

  constructor(options: PoolOptions<Addresses>) {
    this.#options = options
    this.#slots = Array.from({ length: options.size }, (_, index) => new Slot(index + 1, options.clock))
    this.#spareSlot = new Slot(0, options.clock)
  }

  get places(): readonly Place[] {
    return this.#slots
  }

  /** Processes that ended without being told to, in all places that ever were. */
  get restarts(): number {
    return this.#slots.reduce((sum, { restarts }) => sum + restarts, this.#gone.restarts)
  }

  /** Processes that were replaced because of their memory. */
  get renewals(): number {
    return this.#slots.reduce((sum, { renewals }) => sum + renewals, this.#gone.renewals)
  }

  /** Counts swaps, from 1. */
  get generation(): number {
    return this.#generation
  }

  /** Those that drain because another took their place. */
  get replaced(): Iterable<WorkerProcess> {
    return this.#beingReplaced
  }

  get spare(): Place {
    return this.#spareSlot
  }

  /** Those that take connections. */
  get serving(): readonly WorkerProcess[] {
    return this.#slots.flatMap(({ worker }) => (worker?.state === 'serving' ? [worker] : []))
  }

  get isLooping(): boolean {
    return this.#slots.some(({ isLooping }) => isLooping)
  }

  /** Resolves when all serve; rejects with the first reason why one does not, or that of `signal`: no process is left then. */
  async start(signal: AbortSignal): Promise<void> {
    try {
      const starting: StartParts = {
        ...this.#options,
        fork: () => this.#fork(),
        serve: (worker, limitMs) => this.#serve(worker, limitMs),
        isCalledOff: () => this.#isStopping,
      }
      await unlessAborted(Promise.all(this.#slots.map((slot) => startAt(slot, starting))), signal)
    } catch (error) {
      await this.#giveUp()
      throw error
    }
    this.#isStarted = true
    // One that ended between its own start and that of the slowest.
    for (const slot of this.#slots) if (slot.worker?.state === 'gone') this.#crashed(slot, 'ended')
    this.#fillSpare()
  }

  /** Those that serve already have hardly been met by anybody: the gateway was never ready. */
  async #giveUp(): Promise<void> {
    this.#isStopping = true
    const made = this.#slots.flatMap(({ worker }) => worker ?? [])
    for (const worker of made) this.#abandon(worker)
    await Promise.all(made.map(({ ended }) => ended))
  }

  /**
   * Replaces all workers by new ones, one after the other: each serves before the one that it replaces drains. Resolves when all new ones serve.
   * Rejects when one cannot; those that were not replaced by then stay. Called while it runs, it is done once more afterwards. With `size` there are
   * so many afterwards: further ones are added, or the last ones drain, once the others are replaced.
   */
  swap(size?: number): Promise<void> {
    this.#wanted = size ?? this.#wanted
    if (!this.#swapping) {
      this.#swapping = this.#swapAll().finally(() => {
        this.#swapping = undefined
      })
      return this.#swapping
    }
    this.#nextSwap ??= this.#swapping
      .catch(() => undefined)
      .then(() => {
        this.#nextSwap = undefined
        return this.swap()
      })
    return this.#nextSwap
  }

  /** Drains all, within the deadline. Resolves with how much was cut, when no process is left. */
  async stop(deadline: Deadline, minDrainMs: number): Promise<number> {
    this.#isStopping = true
    this.#cancelLoopCheck?.()
    for (const slot of [...this.#slots, this.#spareSlot]) slot.cancelRestart?.()
    const order = { deadlineMs: deadline.remainingMs(), minDrainMs }
    const all = this.#slots.flatMap(({ worker }) => (worker ? [this.#end(worker, order)] : []))
    const { worker: spare } = this.#spareSlot
    const coming = this.#coming
    if (spare) this.#abandon(spare)
    if (coming && !this.answering.has(coming)) this.#abandon(coming)
    const cut = () => {
      coming?.kill()
      for (const worker of this.#beingReplaced) worker.kill()
    }
    deadline.signal.addEventListener('abort', cut, { once: true })
    // What it was making may have taken connections, and then drains with the others.
    if (this.#swapping) await unlessAborted(this.#swapping, deadline.signal).catch(() => undefined)
    const counts = await Promise.all([...all, ...this.#draining])
    deadline.signal.removeEventListener('abort', cut)
    await Promise.all([spare?.ended, coming?.ended])
    return counts.reduce((sum, count) => sum + count, 0)
  }

  #end(worker: WorkerProcess, order: Parameters<WorkerProcess['drain']>[0]): Promise<number> {
    if (worker.state === 'serving') return worker.drain(order)
    this.#abandon(worker)
    return worker.ended.then(() => 0)
  }

  #fork(): WorkerProcess {
    const { clock, fork, logger, readyTimeoutMs } = this.#options
    const worker = new WorkerProcess(fork(), this.#generation, {
      ...{ clock, readyTimeoutMs },
      onGone: (gone, how) => this.#onGone(gone, how),
      onBeat: (one, rssBytes) => this.#onBeat(one, rssBytes),
      onHang: (hung) => {
        this.#silent.add(hung)
        logger.error({ worker: hung.pid }, 'a worker does not answer: it is killed')
      },
    })
    this.#options.attach(worker)
    return worker
  }

  async #serve(worker: WorkerProcess, limitMs = this.#options.readyTimeoutMs): Promise<void> {
    const { describe, readyTimeoutMs, onPrepared, onServing, onChange } = this.#options
    if (worker.state === 'starting') {
      const answer = await worker.prepare(describe(worker), limitMs)
      await onPrepared?.(answer)
    }
    this.answering.add(worker)
    void worker.ended.then(() => {
      this.answering.delete(worker)
      onChange()
    })
    const addresses = await worker.listen<Addresses>(readyTimeoutMs)
    onServing(worker, addresses)
    onChange()
  }

  #onBeat(worker: WorkerProcess, rssBytes: number): void {
    const { maxRssBytes = 0, clock, logger } = this.#options
    const slot = this.#slots.find((one) => one.worker === worker && worker.state === 'serving')
    if (maxRssBytes === 0 || rssBytes <= maxRssBytes || !slot || this.#swapping || this.#isStopping) return
    if (clock.nowMs() - worker.startedAtMs < SHORTEST_LIFE_MS) return
    logger.warn(
      { worker: worker.pid, rssBytes, maxRssBytes },
      'a worker holds too much memory: it is replaced',
    )
    this.#swapping = this.#replace(slot)
      .then(() => {
        slot.renewals++
      })
      .catch((error: unknown) => logger.error({ err: error }, 'a worker that holds too much memory stays'))
      .finally(() => {
        this.#swapping = undefined
        this.#fillSpare()
      })
  }

  #onGone(worker: WorkerProcess, how: string): void {
    this.#options.onGone(worker)
    const slot = [...this.#slots, this.#spareSlot].find((one) => one.worker === worker)
    const isByItself = worker.pid !== 0 && (how !== 'SIGKILL' || this.#silent.has(worker))
    if (slot && isByItself && !this.#isStopping && !this.#abandoned.has(worker))
      this.#options.onCrash?.(worker)
    if (slot && this.#isStarted) this.#crashed(slot, how)
    this.#options.onChange()
  }

  #crashed(slot: Slot, how: string): void {
    const { clock, logger } = this.#options
    const worker = slot.worker
    slot.worker = undefined
    if (this.#isStopping || (worker && this.#abandoned.has(worker))) return
    slot.restarts++
    const { delayMs } = slot.history.add(clock.nowMs())
    logger.error({ worker: worker?.pid, place: slot.id, how, delayMs }, 'a worker ended: another one starts')
    this.#options.onChange()
    this.#watchLoops()
    const restart = () => (slot === this.#spareSlot ? this.#fillSpare() : void this.#refill(slot))
    // At once and not with a timer, which a busy process may call late.
    if (delayMs === 0) restart()
    else slot.cancelRestart = clock.schedule(delayMs, restart)
  }

  async #refill(slot: Slot): Promise<void> {
    if (this.#isStopping) return
    const worker = this.#takeSpare() ?? this.#fork()
    slot.worker = worker
    try {
      await this.#serve(worker)
    } catch (error) {
      if (!this.#abandoned.has(worker))
        this.#options.logger.error({ worker: worker.pid, err: error }, 'a worker did not start')
      // Its end is what starts the next one.
      this.#silent.add(worker)
      worker.kill()
    }
    this.#fillSpare()
  }

  #takeSpare(): WorkerProcess | undefined {
    const { worker } = this.#spareSlot
    if (!worker || !this.#isUsable(worker)) return undefined
    this.#spareSlot.worker = undefined
    worker.generation = this.#generation
    return worker
  }

  #isUsable({ state, generation }: WorkerProcess): boolean {
    if (this.#options.warm) return state === 'starting'
    return state === 'standby' && generation === this.#generation
  }

  #fillSpare(): void {
    if (this.#spareSlot.worker || this.#isStopping || this.#swapping) return
    const { describe, readyTimeoutMs, logger, warm } = this.#options
    const worker = this.#fork()
    this.#spareSlot.worker = worker
    const made = warm ? warm(worker) : worker.prepare(describe(worker), readyTimeoutMs)
    made.catch((error: unknown) => {
      const isStandby = this.#spareSlot.worker === worker && !this.#abandoned.has(worker)
      if (this.#isStopping || !isStandby) return
      logger.error({ worker: worker.pid, err: error }, 'the standby worker did not start')
      this.#silent.add(worker)
      worker.kill()
    })
  }

  /** Ends one that serves nobody; its end is no crash. */
  #abandon(worker: WorkerProcess): void {
    this.#abandoned.add(worker)
    worker.kill()
  }

  /** A loop ends by the passing of time. */
  #watchLoops(): void {
    if (!this.isLooping || this.#isStopping) return
    this.#cancelLoopCheck?.()
    this.#cancelLoopCheck = this.#options.clock.schedule(LOOP_CHECK_MS, () => {
      this.#options.onChange()
      this.#watchLoops()
    })
  }

  async #swapAll(): Promise<void> {
    if (this.#isStopping) throw new Error('the gateway stops')
    this.#generation++
    // It was loaded with what is to be replaced, unless it waits for that.
    const { worker: spare } = this.#spareSlot
    if (spare && !this.#options.warm) this.#abandon(spare)
    const size = this.#wanted ?? this.#slots.length
    this.#wanted = undefined
    try {
      await this.#replaceAll(size)
    } finally {
      this.#swapping = undefined
      this.#fillSpare()
      this.#options.onChange()
    }
  }

  /** Further places are filled after the others, and given up when one of them cannot be. */
  async #replaceAll(size: number): Promise<void> {
    const before = this.#slots.length
    for (const slot of this.#slots.slice(0, size)) await this.#replace(slot)
    try {
      while (this.#slots.length < size) {
        const slot = new Slot(this.#slots.length + 1, this.#options.clock)
        await this.#replace(slot)
        this.#slots.push(slot)
      }
    } catch (error) {
      this.#cutTo(before)
      throw error
    }
    this.#cutTo(size)
  }

  /** Those in places beyond drain, and nobody takes their place. */
  #cutTo(size: number): void {
    for (const { worker, restarts, renewals, cancelRestart } of this.#slots.splice(size)) {
      cancelRestart?.()
      this.#gone.restarts += restarts
      this.#gone.renewals += renewals
      if (worker) this.#replaced(worker)
    }
  }

  async #replace(slot: Slot): Promise<void> {
    if (this.#isStopping) throw new Error('the gateway stops')
    const fresh = this.#takeSpare() ?? this.#fork()
    this.#coming = fresh
    this.#abandoned.add(fresh)
    try {
      await this.#serve(fresh)
    } catch (error) {
      fresh.kill()
      throw error
    } finally {
      this.#coming = undefined
    }
    if (this.#isStopping) {
      this.#replaced(fresh)
      throw new Error('the gateway stops')
    }
    const old = slot.worker
    slot.cancelRestart?.()
    slot.worker = fresh
    this.#abandoned.delete(fresh)
    if (fresh.state === 'gone') this.#crashed(slot, 'ended')
    if (old) this.#replaced(old)
  }

  #replaced(old: WorkerProcess): void {
    this.#abandoned.add(old)
    this.#beingReplaced.add(old)
    const { drainMs, minDrainMs } = this.#options
    const drained = this.#end(old, { deadlineMs: drainMs, minDrainMs })
    this.#draining.add(drained)
    void drained.finally(() => {
      this.#draining.delete(drained)
      this.#beingReplaced.delete(old)
    })
  }
}
