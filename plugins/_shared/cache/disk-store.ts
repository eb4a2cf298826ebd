import { randomBytes } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { CacheIndex, type IndexLimits, type Slot } from './cache-index.ts'
import type { Address, CacheStore, Recording, Stored, StoredHead } from './cache-store.ts'
import { BodyReader, CorruptFileError, type OpenedFile, readFile } from './disk-file.ts'
import { DiskRecording } from './disk-recording.ts'
import { scanFolder } from './disk-scan.ts'

/** Bytes of all recordings that wait for the disk. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024

export interface DiskStoreOptions extends IndexLimits {
  /** Made when it is not there; must belong to the user of the process, or to root. */
  readonly folder: string
  /** How many digits of the hash name each level of folders, as nginx's `levels`. */
  readonly levels: readonly number[]
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Told of what the disk refuses and of files that cannot be used. */
  readonly onFailure: (reason: DiskFailure, error: unknown) => void
}

export type DiskFailure = 'open' | 'write' | 'read' | 'corrupt'

/**
 * Keeps answers in files; what is there at the start is found again. A disk that fails costs answers that are not kept, never a
 * request. Several processes may share a folder; each finds what it has stored itself, or found at its start.
 */
export class DiskStore implements CacheStore {
  readonly #options: DiskStoreOptions
  readonly #index: CacheIndex<string>
  /** What has to end before the store is closed. */
  readonly #pending = new Set<Promise<unknown>>()
  readonly #recordings = new Set<Recording>()
  /** Files named while the folder is still looked through: what it finds of them is no news. Gone when all is known. */
  #named: Set<string> | undefined = new Set()
  #waitingBytes = 0
  #isUsable = true
  #isClosed = false

  constructor(options: DiskStoreOptions) {
    this.#options = options
    this.#index = new CacheIndex(options, (path) => this.#unlink(path))
    void this.#track(this.#findFiles())
  }

  get entries(): number {
    return this.#index.size
  }

  get bytes(): number {
    return this.#index.bytes
  }

  /** Resolves when what was there at the start is known. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.allSettled([...this.#pending])
  }

  find(address: Address): Stored | undefined | Promise<Stored | undefined> {
    const slot = this.#index.find(address)
    return slot && this.#track(this.#open(slot))
  }

  variantOf(address: Address): string {
    return this.#index.variantOf(address)
  }

  record(address: Address, head: StoredHead, bodyBytes: number | undefined): Recording | undefined {
    if (this.#isClosed || !this.#isUsable || !this.#index.hasRoomFor(bodyBytes ?? 0)) return undefined
    const place = this.#index.place(address, head.vary)
    const { promise, resolve } = deferred()
    const path = this.#pathOf(`${place.group}.${place.variant}.${randomBytes(4).toString('hex')}`)
    this.#named?.add(path)
    const recording = new DiskRecording(head, {
      unfinished: join(this.#options.folder, 'unfinished'),
      path,
      take: (bytes, total) => this.#take(bytes, total),
      giveBack: (bytes) => {
        this.#waitingBytes -= bytes
      },
      keep: (bytes) => this.#index.add({ ...place, payload: path, bytes }, head.vary),
      fail: (error) => this.#options.onFailure('write', error),
      ended: () => {
        this.#recordings.delete(recording)
        resolve()
      },
    })
    this.#recordings.add(recording)
    void this.#track(promise)
    return recording
  }

  purge(key: string): boolean {
    return this.#index.remove(key) > 0
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const recording of [...this.#recordings]) recording.abort()
    await this.settled()
    this.#index.clear()
  }

  #take(bytes: number, total: number): boolean {
    if (!this.#index.hasRoomFor(total) || this.#waitingBytes + bytes > MAX_WAITING_BYTES) return false
    this.#waitingBytes += bytes
    return true
  }

  async #open(slot: Slot<string>): Promise<Stored | undefined> {
    let handle: FileHandle | undefined
    try {
      handle = await open(slot.payload)
      const stored = this.#storedIn(handle, await readFile(handle), slot)
      handle = undefined
      return stored
    } catch (error) {
      this.#lost(slot, error)
      return undefined
    } finally {
      if (handle) await this.#close(handle)
    }
  }

  /** Takes the handle over. */
  #storedIn(handle: FileHandle, file: OpenedFile, slot: Slot<string>): Stored {
    const { head, bodyBytes, body } = file
    const close = () => void this.#track(this.#close(handle))
    if (body) {
      close()
      return { head, bodyBytes, body: () => body, release() {} }
    }
    const onCorrupt = () => this.#lost(slot, new CorruptFileError(`the body of ${slot.payload} has changed`))
    return {
      head,
      bodyBytes,
      body: () => new BodyReader(handle, file, onCorrupt),
      release: close,
    }
  }

  async #close(handle: FileHandle): Promise<void> {
    try {
      await handle.close()
    } catch (error) {
      this.#options.onFailure('read', error)
    }
  }

  #lost(slot: Slot<string>, error: unknown): void {
    const isGone = (error as NodeJS.ErrnoException).code === 'ENOENT'
    const isCorrupt = error instanceof CorruptFileError || error instanceof SyntaxError
    if (isGone || isCorrupt) this.#index.drop(slot)
    if (!isGone) this.#options.onFailure(isCorrupt ? 'corrupt' : 'read', error)
  }

  async #findFiles(): Promise<void> {
    const { folder, levels, now, onFailure } = this.#options
    try {
      await scanFolder(folder, levels.length, {
        isOver: () => this.#isClosed,
        now,
        add: ({ group, variant, path, bytes, vary }) => {
          if (this.#named?.has(path)) return
          if (this.#index.has({ group, variant })) this.#unlink(path)
          else this.#index.add({ group, variant, payload: path, bytes }, vary)
        },
        remove: (path) => this.#unlink(path),
      })
    } catch (error) {
      this.#isUsable = false
      onFailure('open', error)
    } finally {
      this.#named = undefined
    }
  }

  #pathOf(name: string): string {
    const hash = name.slice(0, name.indexOf('.'))
    const parts: string[] = []
    let end = hash.length
    for (const digits of this.#options.levels) {
      parts.push(hash.slice(end - digits, end))
      end -= digits
    }
    return join(this.#options.folder, ...parts, name)
  }

  #unlink(path: string): void {
    const removed = unlink(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') this.#options.onFailure('write', error)
    })
    void this.#track(removed)
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#pending.add(work)
    const done = () => void this.#pending.delete(work)
    work.then(done, done)
    return work
  }
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
