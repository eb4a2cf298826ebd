import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CRC32_START, crc32Bytes, crc32Finish } from '../../../src/lib/crc32.ts'
import type { Recording, StoredHead } from './cache-store.ts'
import { PREAMBLE_BYTES, preamble } from './disk-file.ts'
import { makePrivateFolder } from './private-folder.ts'

/** Of one recording; a disk that falls further behind is not waited for. */
const MAX_QUEUED_BYTES = 8 * 1024 * 1024
/** What clients were sent is for the user of the process alone. */
const PRIVATE_FILE = 0o600

/** What a recording asks of the store that it belongs to. */
export interface DiskRecordingOwner {
  /** The folder of unfinished files. */
  readonly unfinished: string
  readonly path: string
  /** Whether the store has room for a body that has grown by `bytes` to `total`, and for as much that waits for the disk. */
  take(bytes: number, total: number): boolean
  /** Written, or given up. */
  giveBack(bytes: number): void
  keep(fileBytes: number): void
  fail(error: unknown): void
  /** Told once, when nothing of the recording is under way any more. */
  ended(): void
}

/** Writes one answer into a file of its own, which gets its name when it is whole. The client never waits for the disk. */
export class DiskRecording implements Recording {
  readonly #owner: DiskRecordingOwner
  readonly #head: Buffer
  readonly #temporary: string
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #total = 0
  #register = CRC32_START
  #position: number
  #handle: FileHandle | undefined
  #work: Promise<void> | undefined
  #state: 'open' | 'committing' | 'over' = 'open'

  constructor(head: StoredHead, owner: DiskRecordingOwner) {
    this.#owner = owner
    this.#head = Buffer.from(JSON.stringify(head))
    this.#position = PREAMBLE_BYTES + this.#head.length
    this.#temporary = join(owner.unfinished, `${randomBytes(12).toString('hex')}.tmp`)
  }

  write(chunk: Uint8Array): boolean {
    if (this.#state !== 'open') return false
    const isBehind = this.#queuedBytes + chunk.length > MAX_QUEUED_BYTES
    if (isBehind || !this.#owner.take(chunk.length, this.#total + chunk.length)) {
      this.abort()
      return false
    }
    this.#total += chunk.length
    this.#queuedBytes += chunk.length
    this.#queue.push(chunk)
    this.#work ??= this.#drain()
    return true
  }

  async commit(): Promise<boolean> {
    if (this.#state !== 'open') return false
    this.#state = 'committing'
    try {
      await this.#work
      if (this.#isGivenUp()) return false
      await this.#finish()
      if (this.#isGivenUp()) return false
      this.#owner.keep(this.#position)
      this.#state = 'over'
      this.#owner.ended()
      return true
    } catch (error) {
      // Given up while the disk was at work: its file was closed under it.
      if (this.#isGivenUp()) return false
      this.#owner.fail(error)
      this.abort()
      return false
    }
  }

  abort(): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#queue = []
    this.#owner.giveBack(this.#queuedBytes)
    this.#queuedBytes = 0
    void this.#remove()
  }

  /** Also by the store, while the disk is at work. */
  #isGivenUp(): boolean {
    return this.#state === 'over'
  }

  /** Writes what is queued until nothing is; what goes wrong ends the recording. */
  async #drain(): Promise<void> {
    try {
      const handle = await this.#open()
      while (this.#queue.length > 0) {
        const chunks = this.#queue
        this.#queue = []
        const bytes = await writeAll(handle, chunks, this.#position)
        for (const chunk of chunks) this.#register = crc32Bytes(this.#register, chunk)
        this.#position += bytes
        if (this.#isGivenUp()) return
        this.#queuedBytes -= bytes
        this.#owner.giveBack(bytes)
      }
      this.#work = undefined
    } catch (error) {
      if (this.#isGivenUp()) return
      this.#owner.fail(error)
      this.abort()
    }
  }

  async #open(): Promise<FileHandle> {
    this.#handle ??= await openNew(this.#temporary)
    return this.#handle
  }

  async #finish(): Promise<void> {
    const handle = await this.#open()
    const body = { bytes: this.#total, crc: crc32Finish(this.#register) }
    await writeAll(handle, [preamble(this.#head, body), this.#head], 0)
    this.#handle = undefined
    await handle.close()
    await makePrivateFolder(dirname(this.#owner.path))
    await rename(this.#temporary, this.#owner.path)
  }

  /** Whatever has become of it. */
  async #remove(): Promise<void> {
    try {
      await this.#work
      await this.#handle?.close()
      await unlink(this.#temporary)
    } catch (error) {
      // A file that could not be made need not be removed.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#owner.fail(error)
    } finally {
      this.#owner.ended()
    }
  }
}

async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', PRIVATE_FILE)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    await makePrivateFolder(dirname(path))
    return open(path, 'wx', PRIVATE_FILE)
  }
}

/** A single write may take less than it was given. Returns how many bytes there were. */
async function writeAll(
  handle: FileHandle,
  chunks: readonly Uint8Array[],
  position: number,
): Promise<number> {
  const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
  let written = 0
  while (written < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written)
    written += bytesWritten
  }
  return bytes.length
}
