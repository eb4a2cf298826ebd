import type { Clock } from '../../lib/clock.ts'
import { type Channel, Link } from './link.ts'

/** A process that was just forked: the part of a cluster worker that is needed here. */
export interface ForkedProcess extends Channel {
  /** 0: the system did not start it. */
  readonly pid: number
  /** Calls `listener` once, with what it ended with. */
  onExit(listener: (how: string) => void): void
  /** SIGKILL. */
  kill(): void
  /** Processor time that it has used, in ticks of 10 ms; absent or `undefined` where nobody knows. */
  cpuTicks?(): number | undefined
}

export type WorkerState = 'starting' | 'standby' | 'serving' | 'draining' | 'gone'

/** The primary asks so often whether a worker is alive. */
const HEARTBEAT_MS = 200
/** So many in a row without an answer: it is hung. Counted in beats of the primary, so that a stall of this process accuses nobody. */
const MISSED_BEATS = 7
/** One that starts takes in the whole configuration, and what starts with it keeps the machine busy: it may be silent for this part of its time. */
const SILENCE_AT_START = 1 / 3
/** Processor time, in ticks, that is a sign of life of one that loads: on a busy machine that may take long. */
const TICKS_OF_LIFE = 5
/** After the deadline of a drain, before it is killed. */
export const DRAIN_GRACE_MS = 800

export interface WorkerOptions {
  readonly clock: Clock
  /** How long it may take to get ready. */
  readonly readyTimeoutMs: number
  /** Told once, whatever the end was. */
  onGone(worker: WorkerProcess, how: string): void
  /** Told of each sign of life, with the memory that it holds. */
  onBeat?(worker: WorkerProcess, rssBytes: number): void
  /** Told before a worker that does not answer is killed, once its program is loaded. */
  onHang(worker: WorkerProcess): void
}

/** One worker process as the primary sees it. */
export class WorkerProcess {
  readonly link: Link
  readonly pid: number
  /** Of the code and settings that it runs with: of the swap that made it, or put it into its place. */
  generation: number
  readonly startedAtMs: number
  readonly #forked: ForkedProcess
  readonly #options: WorkerOptions
  readonly #ended: Promise<void>
  #state: WorkerState = 'starting'
  #cancelBeat: (() => void) | undefined
  #missed = 0
  #isLoaded = false
  #endsOfSilence = false
  #isMute = false
  #ticks = 0

  constructor(forked: ForkedProcess, generation: number, options: WorkerOptions) {
    this.#forked = forked
    this.#options = options
    this.pid = forked.pid
    this.generation = generation
    this.startedAtMs = options.clock.nowMs()
    this.link = new Link(forked, {
      onOverrun: () => {
        options.onHang(this)
        this.kill()
      },
    })
    this.#ended = new Promise((resolve) => {
      forked.onExit((how) => {
        this.#state = 'gone'
        this.#cancelBeat?.()
        options.onGone(this, how)
        resolve()
      })
    })
  }

  get state(): WorkerState {
    return this.#state
  }

  /** Everything but listening. Resolves with what it has to tell; rejects when it cannot, ends or takes longer. */
  async prepare(body: unknown, limitMs: number): Promise<unknown> {
    const answer = await this.#bounded(this.link.ask('prepare', body), limitMs)
    if (this.#state === 'starting') this.#state = 'standby'
    this.watch()
    return answer
  }

  /** From now on its silence ends it: its program is loaded. */
  watch(): void {
    this.#isLoaded = true
    this.#isMute = false
    this.#endsOfSilence = true
    if (!this.#cancelBeat) this.#beat()
  }

  /** It is asked for signs of life while its program loads too; {@link isMute} says how it was. With `mayEnd` its silence ends it. */
  watchLoading({ mayEnd }: { readonly mayEnd: boolean }): void {
    // With less time than that, one that is slow would be ended.
    const isLongEnough = this.#mostMissed > MISSED_BEATS
    this.#endsOfSilence ||= mayEnd && isLongEnough
    if (!this.#cancelBeat) this.#beat()
  }

  /** It has told that its program is there. */
  get isLoaded(): boolean {
    return this.#isLoaded
  }

  /** It said nothing for its time to be silent before its program was loaded: no configuration is the reason. */
  get isMute(): boolean {
    return this.#isMute
  }

  /** Resolves with where it listens. */
  async listen<T>(limitMs: number): Promise<T> {
    const addresses = await this.#bounded(this.link.ask<T>('listen'), limitMs)
    if (this.#state === 'standby') this.#state = 'serving'
    return addresses
  }

  /** Ends it in good order until the deadline; resolves with how much was cut, once it is gone. */
  async drain(body: { readonly deadlineMs: number; readonly minDrainMs: number }): Promise<number> {
    if (this.#state === 'gone') return 0
    this.#state = 'draining'
    const { clock } = this.#options
    const cancel = clock.schedule(body.deadlineMs + DRAIN_GRACE_MS, () => this.kill())
    try {
      const { forced } = await this.link.ask<{ forced: number }>('drain', body)
      this.link.tell('bye')
      await this.#ended
      return forced
    } catch {
      // It ended before it could say how: whatever it was doing is cut.
      await this.#ended
      return 1
    } finally {
      cancel()
    }
  }

  kill(): void {
    if (this.#state !== 'gone') this.#forked.kill()
  }

  /** Resolves when the process is gone. */
  get ended(): Promise<void> {
    return this.#ended
  }

  #beat(): void {
    if (this.#state === 'gone') return
    if (this.#missed >= MISSED_BEATS && !this.#isLoaded) this.#lookForWork()
    if (this.#missed >= this.#mostMissed) {
      this.#isMute = !this.#isLoaded
      if (this.#endsOfSilence) {
        this.#endHung()
        return
      }
    }
    this.#missed++
    this.link.ask<number>('ping').then(
      (rssBytes) => {
        this.#missed = 0
        this.#isMute = false
        this.#options.onBeat?.(this, rssBytes)
      },
      // It is gone, which is told otherwise.
      () => undefined,
    )
    this.#cancelBeat = this.#options.clock.schedule(HEARTBEAT_MS, () => this.#beat())
  }

  #lookForWork(): void {
    const ticks = this.#forked.cpuTicks?.()
    if (ticks === undefined || ticks < this.#ticks + TICKS_OF_LIFE) return
    this.#ticks = ticks
    this.#missed = 0
  }

  get #mostMissed(): number {
    if (this.#state !== 'starting') return MISSED_BEATS
    return Math.max(MISSED_BEATS, (this.#options.readyTimeoutMs * SILENCE_AT_START) / HEARTBEAT_MS)
  }

  #endHung(): void {
    if (this.#isLoaded) this.#options.onHang(this)
    this.kill()
  }

  #bounded<T>(work: Promise<T>, limitMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.schedule(limitMs, () => {
        // Its end is then what `work` rejects with.
        if (this.#isLoaded && this.#missed >= MISSED_BEATS) this.#endHung()
        else reject(new Error(`worker ${this.pid} did not get ready within ${limitMs} ms`))
      })
      work.then(resolve, reject).finally(cancel)
    })
  }
}
