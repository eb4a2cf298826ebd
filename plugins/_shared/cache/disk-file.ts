import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { CRC32_START, crc32Bytes, crc32Finish } from '../../../src/lib/crc32.ts'
import type { StoredHead } from './cache-store.ts'

/** Changed whenever the form of a file does: files of another form are not read. */
const MAGIC = Buffer.from('GWCACHE1')
/** Magic, length and checksum of the head, length and checksum of the body. */
export const PREAMBLE_BYTES = 28
/** Read at once; an answer that fits is checked as a whole before a byte of it is used. */
const FIRST_READ_BYTES = 64 * 1024
const CHUNK_BYTES = 64 * 1024
const MAX_HEAD_BYTES = 1024 * 1024

/** A file that is not what was written: cut short, overwritten, or of another form. */
export class CorruptFileError extends Error {
  override readonly name = 'CorruptFileError'
}

/** The first bytes of a file; written last, so that a file without them was never finished. */
export function preamble(head: Buffer, body: { readonly bytes: number; readonly crc: number }): Buffer {
  const bytes = Buffer.alloc(PREAMBLE_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt32BE(head.length, 8)
  bytes.writeUInt32BE(checksum(head), 12)
  bytes.writeBigUInt64BE(BigInt(body.bytes), 16)
  bytes.writeUInt32BE(body.crc, 24)
  return bytes
}

/** What a file holds; its body is at hand when the file is small. */
export interface OpenedFile {
  readonly head: StoredHead
  readonly bodyBytes: number
  readonly body: Buffer | undefined
  readonly bodyAt: number
  readonly bodyCrc: number
}

/** Reads the head, and a body that came along. Throws {@link CorruptFileError} when anything is not as it was written. */
export async function readFile(handle: FileHandle): Promise<OpenedFile> {
  const { size } = await handle.stat()
  let bytes = await readFrom(handle, 0, Math.min(size, FIRST_READ_BYTES))
  if (bytes.length < PREAMBLE_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) throw corrupt('no such form')
  const headBytes = bytes.readUInt32BE(8)
  const bodyBytes = Number(bytes.readBigUInt64BE(16))
  const bodyAt = PREAMBLE_BYTES + headBytes
  if (headBytes > MAX_HEAD_BYTES || bodyAt + bodyBytes !== size) throw corrupt('not as long as it says')
  if (bytes.length < bodyAt) bytes = await readFrom(handle, 0, bodyAt)
  const head = bytes.subarray(PREAMBLE_BYTES, bodyAt)
  if (checksum(head) !== bytes.readUInt32BE(12)) throw corrupt('the head has changed')
  const bodyCrc = bytes.readUInt32BE(24)
  const body = bytes.length >= size ? bytes.subarray(bodyAt, size) : undefined
  if (body && checksum(body) !== bodyCrc) throw corrupt('the body has changed')
  return { head: JSON.parse(head.toString()) as StoredHead, bodyBytes, body, bodyAt, bodyCrc }
}

/** A body as a stream. Owns the handle. What has changed is never passed off as whole: the last part is held back until all is checked. */
export class BodyReader extends Readable {
  readonly #handle: FileHandle
  readonly #end: number
  readonly #crc: number
  readonly #onCorrupt: () => void
  #at: number
  #register = CRC32_START

  constructor(handle: FileHandle, file: OpenedFile, onCorrupt: () => void) {
    super({ highWaterMark: CHUNK_BYTES })
    this.#handle = handle
    this.#at = file.bodyAt
    this.#end = file.bodyAt + file.bodyBytes
    this.#crc = file.bodyCrc
    this.#onCorrupt = onCorrupt
  }

  override _read(): void {
    this.#next().catch((error) => {
      if (error instanceof CorruptFileError) this.#onCorrupt()
      this.destroy(error)
    })
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#handle.close().then(
      () => done(error),
      (failure) => done(error ?? failure),
    )
  }

  async #next(): Promise<void> {
    const chunk = await readFrom(this.#handle, this.#at, Math.min(CHUNK_BYTES, this.#end - this.#at))
    if (this.destroyed) return
    if (chunk.length === 0) throw corrupt('shorter than it was')
    this.#register = crc32Bytes(this.#register, chunk)
    this.#at += chunk.length
    const isLast = this.#at === this.#end
    if (isLast && crc32Finish(this.#register) !== this.#crc) throw corrupt('the body has changed')
    this.push(chunk)
    if (isLast) this.push(null)
  }
}

export function checksum(bytes: Uint8Array): number {
  return crc32Finish(crc32Bytes(CRC32_START, bytes))
}

async function readFrom(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}

function corrupt(why: string): CorruptFileError {
  return new CorruptFileError(`a stored answer cannot be used: ${why}`)
}
