import { CacheIndex, type IndexLimits, type Slot } from './cache-index.ts'
import type { Address, CacheStore, Recording, Stored, StoredHead } from './cache-store.ts'

interface Kept {
  readonly head: StoredHead
  readonly body: Uint8Array
}

const NONE = new Uint8Array(0)

/** Keeps answers in the memory of the process; they end with it. */
export class MemoryStore implements CacheStore {
  readonly #index: CacheIndex<Kept>
  readonly #maxBytes: number
  /** Of bodies that are still arriving: a second share of the store's size at most. */
  #arriving = 0

  constructor(limits: IndexLimits) {
    this.#index = new CacheIndex(limits)
    this.#maxBytes = limits.maxBytes
  }

  get entries(): number {
    return this.#index.size
  }

  get bytes(): number {
    return this.#index.bytes + this.#arriving
  }

  find(address: Address): Stored | undefined {
    const kept = this.#index.find(address)?.payload
    return (
      kept && {
        head: kept.head,
        bodyBytes: kept.body.length,
        // A copy: whoever gets it may change it on its way to the client.
        body: () => (kept.body.length === 0 ? NONE : Buffer.from(kept.body)),
        release() {},
      }
    )
  }

  variantOf(address: Address): string {
    return this.#index.variantOf(address)
  }

  record(address: Address, head: StoredHead, bodyBytes: number | undefined): Recording | undefined {
    const headBytes = head.headers.reduce((sum, text) => sum + text.length, 0)
    if (!this.#index.hasRoomFor(headBytes + (bodyBytes ?? 0))) return undefined
    const place = this.#index.place(address, head.vary)
    return new MemoryRecording({
      take: (bytes, held) => this.#take(bytes, held + headBytes),
      giveBack: (bytes) => {
        this.#arriving -= bytes
      },
      keep: (body) => {
        const slot: Slot<Kept> = { ...place, payload: { head, body }, bytes: headBytes + body.length }
        this.#index.add(slot, head.vary)
      },
    })
  }

  purge(key: string): boolean {
    return this.#index.remove(key) > 0
  }

  close(): void {
    this.#index.clear()
  }

  /** `held` is what the recording would then hold. */
  #take(bytes: number, held: number): boolean {
    if (!this.#index.hasRoomFor(held) || this.#arriving + bytes > this.#maxBytes) return false
    this.#arriving += bytes
    return true
  }
}

interface RecordingOwner {
  take(bytes: number, held: number): boolean
  giveBack(bytes: number): void
  keep(body: Uint8Array): void
}

class MemoryRecording implements Recording {
  readonly #owner: RecordingOwner
  #chunks: Uint8Array[] = []
  #bytes = 0
  #isOver = false

  constructor(owner: RecordingOwner) {
    this.#owner = owner
  }

  write(chunk: Uint8Array): boolean {
    if (this.#isOver) return false
    if (!this.#owner.take(chunk.length, this.#bytes + chunk.length)) {
      this.abort()
      return false
    }
    this.#bytes += chunk.length
    this.#chunks.push(chunk)
    return true
  }

  commit(): boolean {
    if (this.#isOver) return false
    // One allocation of the right size: a chunk may be a small part of a large buffer that it would keep alive.
    const body = Buffer.allocUnsafeSlow(this.#bytes)
    let at = 0
    for (const chunk of this.#chunks) {
      body.set(chunk, at)
      at += chunk.length
    }
    this.abort()
    this.#owner.keep(body)
    return true
  }

  abort(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#chunks = []
    this.#owner.giveBack(this.#bytes)
  }
}
