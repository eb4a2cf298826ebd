import { writeSync, write as writeTo } from 'node:fs'
import { type FileHandle, mkdir, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'

const writeToDescriptor = promisify(writeTo)

const STDOUT = 1
const TICK_MS = 1000
/** A pipe that is full is asked again after this time. */
const BUSY_MS = 100
const CLOSE_MS = 1000
/** What may wait for a disk that is full or a reader that is slow, in characters. */
const MAX_WAITING = 8 * 1024 * 1024

export interface LineWriterOptions {
  /** What is written at once at most, in characters, whole lines; a longer line goes alone. */
  readonly maxChunk: number
  /** Whether each line is written at once; else when a chunk is full, or after a second. */
  readonly isEager?: boolean
  /** Called once when writing begins to fail; it is tried again every second. */
  onFailure(error: Error): void
  /** Called when it succeeds again. */
  onRecovery(): void
  /** Called for lines that are lost: no room was left to wait, or the close came first. */
  onDropped(lines: number): void
}

/**
 * Appends lines to standard output (`stdout`) or to a file, one write at a time, in order. The file may be moved or removed at any
 * time: from a second later on, lines begin a new one. Nobody waits for a write. What is left when the process ends without `close`
 * is written then.
 */
export class LineWriter {
  readonly #target: string
  readonly #options: LineWriterOptions
  readonly #chunks: string[] = []
  #waiting = 0
  #rest: Buffer | undefined
  #file: FileHandle | undefined
  #lookedAtMs = 0
  #isFailing = false
  #isClosed = false
  #isFlushing = false
  #writing: Promise<void> | undefined
  #underWaySinceMs: number | undefined
  /** There while something waits, as is the listener `#atExit`. */
  #ticking: NodeJS.Timeout | undefined
  readonly #atExit = () => this.#writeAtExit()

  constructor(target: string, options: LineWriterOptions) {
    this.#target = target
    this.#options = options
    // A path that cannot be used is told of at the start, not by the first request.
    this.#begin()
  }

  /** `line` ends with a line feed. */
  write(line: string): void {
    if (this.#isClosed || this.#waiting + line.length > MAX_WAITING) {
      this.#options.onDropped(1)
      return
    }
    this.#waiting += line.length
    this.#watch()
    const last = this.#chunks.length - 1
    const fits = last >= 0 && this.#chunks[last]!.length + line.length <= this.#options.maxChunk
    if (fits) this.#chunks[last] += line
    else this.#chunks.push(line)
    if (this.#isFailing) return
    if (this.#options.isEager) this.#flush()
    else if (!fits && last >= 0) this.#begin()
  }

  /** Writes what waits, for a second at most; the rest is told to `onDropped`. Once. */
  async close(): Promise<void> {
    await Promise.race([this.#finish(), pause(CLOSE_MS, undefined, { ref: false })])
    this.#isClosed = true
    this.#unwatch()
    this.#drop()
  }

  #watch(): void {
    if (this.#ticking) return
    this.#ticking = setInterval(() => this.#flush(), TICK_MS).unref()
    process.once('exit', this.#atExit)
  }

  #unwatch(): void {
    clearInterval(this.#ticking)
    this.#ticking = undefined
    process.off('exit', this.#atExit)
  }

  #drop(): void {
    const lost = linesOf(this.#rest?.toString() ?? '') + linesOf(this.#chunks.splice(0).join(''))
    if (lost > 0) this.#options.onDropped(lost)
  }

  async #finish(): Promise<void> {
    await this.#writing
    this.#flush()
    await this.#writing
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }

  #flush(): void {
    if (!this.#hasAny()) return
    this.#isFlushing = true
    this.#begin()
  }

  #begin(): void {
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined
      this.#isFlushing = false
      if (!this.#hasAny()) this.#unwatch()
      // What came while the last write was being noted.
      else if (this.#options.isEager && !this.#isFailing) this.#flush()
    })
  }

  /** Never rejects. */
  async #drain(): Promise<void> {
    try {
      await this.#look()
      while (!this.#isClosed && this.#hasWork()) await this.#writeOne()
      if (this.#isFailing) this.#options.onRecovery()
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing) this.#options.onFailure(error as Error)
      this.#isFailing = true
    }
  }

  #hasAny(): boolean {
    return this.#rest !== undefined || this.#chunks.length > 0
  }

  /** Lines are still added to the last chunk. */
  #hasWork(): boolean {
    return this.#rest !== undefined || this.#chunks.length > (this.#isFlushing ? 0 : 1)
  }

  async #writeOne(): Promise<void> {
    await this.#look()
    this.#rest ??= Buffer.from(this.#take())
    try {
      this.#underWaySinceMs = performance.now()
      const { bytesWritten } = this.#file
        ? await this.#file.write(this.#rest)
        : await writeToDescriptor(STDOUT, this.#rest)
      this.#rest = bytesWritten < this.#rest.length ? this.#rest.subarray(bytesWritten) : undefined
    } catch (error) {
      if (!BUSY.includes((error as NodeJS.ErrnoException).code)) throw error
      this.#underWaySinceMs = undefined
      await pause(BUSY_MS, undefined, { ref: false })
    } finally {
      this.#underWaySinceMs = undefined
    }
  }

  /** Nothing that is asynchronous happens any more, but for the write that is under way: the system ends it. */
  #writeAtExit(): void {
    const nowMs = performance.now()
    const file = this.#target === 'stdout' ? STDOUT : this.#file?.fd
    const sinceMs = this.#underWaySinceMs
    // Whom nothing was taken from for so long, another write would wait for as well, and the process with it.
    const isStuck = this.#isFailing || (sinceMs !== undefined && nowMs - sinceMs > CLOSE_MS)
    if (file === undefined || isStuck) {
      this.#drop()
      return
    }
    const rest = sinceMs === undefined && this.#rest ? this.#rest : Buffer.alloc(0)
    const all = Buffer.concat([rest, Buffer.from(this.#chunks.join(''))])
    if (all.length > 0 && !writeWhole(file, all, nowMs + CLOSE_MS)) this.#drop()
  }

  #take(): string {
    const chunk = this.#chunks.shift()!
    this.#waiting -= chunk.length
    return chunk
  }

  /** Opens the file, also when another one, or none, has its name by now. */
  async #look(): Promise<void> {
    const target = this.#target
    if (target === 'stdout') return
    const nowMs = performance.now()
    if (this.#file && nowMs - this.#lookedAtMs < TICK_MS) return
    this.#lookedAtMs = nowMs
    if (this.#file && (await isNamed(this.#file, target))) return
    const before = this.#file
    await mkdir(dirname(target), { recursive: true })
    this.#file = await open(target, 'a')
    await before?.close()
  }
}

/** Whether all of `bytes` was taken. */
function writeWhole(file: number, bytes: Buffer, untilMs: number): boolean {
  const waiter = new Int32Array(new SharedArrayBuffer(4))
  let rest = bytes
  while (rest.length > 0 && performance.now() < untilMs) {
    try {
      rest = rest.subarray(writeSync(file, rest))
    } catch (error) {
      if (!BUSY.includes((error as NodeJS.ErrnoException).code)) return false
      Atomics.wait(waiter, 0, 0, BUSY_MS / 10)
    }
  }
  return rest.length === 0
}

const BUSY: readonly (string | undefined)[] = ['EAGAIN', 'EBUSY']

function linesOf(text: string): number {
  return text.split('\n').length - 1
}

async function isNamed(file: FileHandle, path: string): Promise<boolean> {
  const [mine, named] = await Promise.all([file.stat(), stat(path).catch(() => undefined)])
  return mine.ino === named?.ino && mine.dev === named.dev
}
