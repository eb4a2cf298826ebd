import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { TimeSlices } from '../../lib/time-slices.ts'
import { draftName, removeAbandonedDrafts } from './drafts.ts'
import type { Seal } from './seal.ts'

/** Raised when a file of this version could not be read by the one before. */
const FORMAT = 1
const MAGIC = 'gatewright last good configuration\n'
/** Longer than any head that was ever written. */
const MAX_HEAD_BYTES = 64 * 1024
const CHUNK_CHARACTERS = 256 * 1024

/** The newest first. */
const GENERATIONS = ['current', 'previous'] as const

export type Generation = (typeof GENERATIONS)[number]

/** What a file says of itself, readable without the key. */
export interface Head {
  /** Of which store, such as `etcd`. */
  readonly store: string
  /** Of the store's keys. */
  readonly prefix: string
  readonly revision: number
  /** In ms since the epoch. */
  readonly savedAtMs: number
  /** Which history the revision counts in; absent where the store has but one. */
  readonly source?: string
}

export interface SavedLines {
  readonly head: Head
  readonly generation: Generation
  /** One for each that was saved, without line ends. */
  readonly lines: readonly string[]
}

/** A file that is there and cannot be used. */
export interface Unusable {
  readonly generation: Generation
  readonly path: string
  readonly why: 'unreadable' | 'damaged' | 'future' | 'other-key' | 'other-store'
  /** For people; holds nothing of the content. */
  readonly reason: string
}

export interface GenerationsOptions {
  /** Made (0700) when something is saved. */
  readonly directory: string
  readonly seal: Seal
  /** What is saved for another store or prefix is not used. */
  readonly store: string
  readonly prefix: string
}

/**
 * The two newest states that were saved, each a sealed file. A save is seen whole or not at all: whatever ends it leaves the files of
 * before. One save at a time of each instance is the caller's to see to; other processes may save into the same folder.
 */
export class Generations {
  readonly #options: GenerationsOptions
  readonly #draftName = draftName()
  /** Whether the newest file may take the older one's place: one that cannot be used must not. */
  #isNewestGood = false

  constructor(options: GenerationsOptions) {
    this.#options = options
  }

  /** The newest that can be used, and those before it that cannot. Never rejects. */
  async load(): Promise<{ readonly saved?: SavedLines; readonly unusable: readonly Unusable[] }> {
    await removeAbandonedDrafts(this.#options.directory)
    const unusable: Unusable[] = []
    for (const generation of GENERATIONS) {
      const path = this.#pathOf(generation)
      try {
        const file = await readFile(path)
        const saved = { ...this.#read(file), generation }
        this.#isNewestGood = generation === 'current'
        return { saved, unusable }
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'ENOENT') continue
        const why = error instanceof UnusableError ? error.why : 'unreadable'
        unusable.push({ generation, path, why, reason: (error as Error).message })
      }
    }
    return { unusable }
  }

  /** Takes the newest place; what was there becomes the older generation. Rejects when it cannot be written; then nothing has changed. */
  async save(facts: Omit<Head, 'store' | 'prefix'>, lines: Iterable<string>): Promise<void> {
    const { directory, seal, store, prefix } = this.#options
    const draft = join(directory, this.#draftName)
    const head = headBytes({ format: FORMAT, keyId: seal.keyId, store, prefix, ...facts })
    await mkdir(directory, { recursive: true, mode: 0o700 })
    try {
      await writeSynced(draft, sealedParts(head, lines, seal))
      const current = this.#pathOf('current')
      if (this.#isNewestGood) await rename(current, this.#pathOf('previous')).catch(unlessMissing)
      await rename(draft, current)
    } catch (error) {
      await rm(draft, { force: true }).catch(() => undefined)
      throw error
    }
    this.#isNewestGood = true
    await syncDirectory(directory)
  }

  #read(file: Buffer): Omit<SavedLines, 'generation'> {
    const { seal, store, prefix } = this.#options
    const end = headEnd(file)
    const { format, keyId, ...head } = parseHead(file.subarray(MAGIC.length, end))
    if (format > FORMAT) {
      throw new UnusableError(
        'future',
        `it has format ${format}, and this version knows formats up to ${FORMAT}`,
      )
    }
    if (head.store !== store || head.prefix !== prefix) {
      throw new UnusableError(
        'other-store',
        `it is of the store ${head.store} with prefix "${head.prefix}", not of ${store} with "${prefix}"`,
      )
    }
    if (keyId !== seal.keyId) {
      throw new UnusableError('other-key', 'it was written with another encryption.key than the one here')
    }
    return { head, lines: linesOf(openSealed(seal, file, end)) }
  }

  #pathOf(generation: Generation): string {
    return join(this.#options.directory, generation)
  }
}

class UnusableError extends Error {
  readonly why: Unusable['why']

  constructor(why: Unusable['why'], reason: string) {
    super(reason)
    this.why = why
  }
}

interface WholeHead extends Head {
  readonly format: number
  readonly keyId: string
}

function headBytes(head: WholeHead): Buffer {
  return Buffer.from(`${MAGIC}${JSON.stringify(head)}\n`)
}

function headEnd(file: Buffer): number {
  if (file.subarray(0, MAGIC.length).toString() !== MAGIC) throw damaged('it does not begin as it should')
  const end = file.subarray(0, MAX_HEAD_BYTES).indexOf('\n', MAGIC.length) + 1
  if (end === 0) throw damaged('it ends too early')
  return end
}

function parseHead(bytes: Buffer): WholeHead {
  let head: Partial<WholeHead> | null
  try {
    head = JSON.parse(bytes.toString()) as Partial<WholeHead> | null
  } catch {
    throw damaged('its head is not JSON')
  }
  if (typeof head?.format !== 'number') throw damaged('its head names no format')
  return head as WholeHead
}

function openSealed(seal: Seal, file: Buffer, end: number): Buffer {
  try {
    return seal.open(file.subarray(0, end), file.subarray(end))
  } catch (error) {
    throw damaged((error as Error).message)
  }
}

function damaged(reason: string): UnusableError {
  return new UnusableError('damaged', reason)
}

function linesOf(content: Buffer): string[] {
  const lines: string[] = []
  for (let start = 0; start < content.length; ) {
    const end = content.indexOf(10, start)
    if (end === -1) throw damaged('its last line does not end')
    lines.push(content.toString('utf8', start, end))
    start = end + 1
  }
  return lines
}

function* sealedParts(head: Buffer, lines: Iterable<string>, seal: Seal): Generator<Uint8Array> {
  const sealing = seal.begin(head)
  yield head
  let text = ''
  for (const line of lines) {
    text += `${line}\n`
    if (text.length < CHUNK_CHARACTERS) continue
    yield sealing.add(Buffer.from(text))
    text = ''
  }
  yield sealing.add(Buffer.from(text))
  yield sealing.end()
}

async function writeSynced(path: string, parts: Iterable<Uint8Array>): Promise<void> {
  const slices = new TimeSlices()
  // One that could not be removed when it failed.
  await rm(path, { force: true })
  const file = await open(path, 'wx', 0o600)
  try {
    for (const part of parts) {
      await file.writeFile(part)
      await slices.pause()
    }
    await file.sync()
  } finally {
    await file.close()
  }
}

/** The new names must survive a power cut too. */
async function syncDirectory(path: string): Promise<void> {
  let directory: FileHandle | undefined
  try {
    directory = await open(path, 'r')
    await directory.sync()
  } catch {
    // Some file systems do not sync folders; then it is theirs to keep the order of renames.
  } finally {
    await directory?.close()
  }
}

function unlessMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
