import { write as writeTo } from 'node:fs'
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
  /** Called once when writing begins to fail; it is tried again every second. */
  onFailure(error: Error): void
  /** Called when it succeeds again. */
  onRecovery(): void
  /** Called for lines that are lost: no room was left to wait, or the close came first. */
  onDropped(lines: number): void
}

/**
 * Appends lines to standard output (`stdout`) or to a file, one write at a time, in order: when a chunk is full, else within a
 * second. The file may be moved or removed at any time: from a second later on, lines begin a new one. Nobody waits for a write.
 */
export class LineWriter {
  readonly #target: string
  readonly #options: LineWriterOptions
  readonly #ticking: NodeJS.Timeout
  readonly #chunks: string[] = []
  #waiting = 0
  #rest: Buffer | undefined
  #file: FileHandle | undefined
  #lookedAtMs = 0
  #isFailing = false
  #isClosed = false
  #isFlushing = false
  #writing: Promise<void> | undefined

  constructor(target: string, options: LineWriterOptions) {
    this.#target = target
    this.#options = options
    this.#ticking = setInterval(() => this.#flush(), TICK_MS).unref()
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
    const last = this.#chunks.length - 1
    if (last >= 0 && this.#chunks[last]!.length + line.length <= this.#options.maxChunk) {
      this.#chunks[last] += line
      return
    }
    this.#chunks.push(line)
    if (last >= 0 && !this.#isFailing) this.#begin()
  }

  /** Writes what waits, for a second at most; the rest is told to `onDropped`. Once. */
  async close(): Promise<void> {
    clearInterval(this.#ticking)
    await Promise.race([this.#finish(), pause(CLOSE_MS, undefined, { ref: false })])
    this.#isClosed = true
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
    if (!this.#rest && this.#chunks.length === 0) return
    this.#isFlushing = true
    this.#begin()
  }

  #begin(): void {
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined
      this.#isFlushing = false
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

  #hasWork(): boolean {
    // Lines are still added to the last chunk.
    return this.#rest !== undefined || this.#chunks.length > (this.#isFlushing ? 0 : 1)
  }

  async #writeOne(): Promise<void> {
    await this.#look()
    this.#rest ??= Buffer.from(this.#take())
    try {
      const { bytesWritten } = this.#file
        ? await this.#file.write(this.#rest)
        : await writeToDescriptor(STDOUT, this.#rest)
      this.#rest = bytesWritten < this.#rest.length ? this.#rest.subarray(bytesWritten) : undefined
    } catch (error) {
      if (!BUSY.includes((error as NodeJS.ErrnoException).code)) throw error
      await pause(BUSY_MS, undefined, { ref: false })
    }
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

const BUSY: readonly (string | undefined)[] = ['EAGAIN', 'EBUSY']

function linesOf(text: string): number {
  return text.split('\n').length - 1
}

async function isNamed(file: FileHandle, path: string): Promise<boolean> {
  const [mine, named] = await Promise.all([file.stat(), stat(path).catch(() => undefined)])
  return mine.ino === named?.ino && mine.dev === named.dev
}
