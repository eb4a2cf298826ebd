import type { Readable } from 'node:stream'

/** What is kept of a response beside its body. */
export interface StoredHead {
  readonly status: number
  /** Flat, without what frames a message or is the gateway's own to say. */
  readonly headers: readonly string[]
  /** Milliseconds since the epoch. */
  readonly storedAtMs: number
  readonly freshForMs: number
  /** The `Age` that it came with, in seconds. */
  readonly initialAgeS: number
  /** Lower-case names of the request's headers that the answer depends on. */
  readonly vary: readonly string[]
  /** The upstream said that it may answer requests with credentials too. */
  readonly isPublic: boolean
}

/** Where an answer is kept. */
export interface Address {
  /** Names the answer; all that is kept under it is purged together. Any text. */
  readonly key: string
  /** Tells apart, below the key, what must not answer for one another. Any text. */
  readonly partition: string
  /** A header of the request, by its lower-case name; told apart by it when the answer varies by it. */
  header(name: string): string | undefined
}

/** An answer that was found. Take the body or release it, once. */
export interface Stored {
  readonly head: StoredHead
  readonly bodyBytes: number
  /** Owned by the caller; a stream fails when what it reads is not what was stored. */
  body(): Uint8Array | Readable
  release(): void
}

/** A body on its way into the store. Ends with one `commit` or `abort`; what follows that is of no effect. */
export interface Recording {
  /** Keeps the chunk, which nobody may change afterwards. False when the recording was given up: it is over. */
  write(chunk: Uint8Array): boolean
  /** The body is whole. Resolves to whether the answer can be found now; never rejects. */
  commit(): boolean | Promise<boolean>
  abort(): void
}

/** Keeps answers within its bounds; the least recently used ones go first. Knows nothing of when they may be used. */
export interface CacheStore {
  /** An answer for this address, fresh or not. Never throws or rejects. */
  find(address: Address): Stored | undefined | Promise<Stored | undefined>
  /** Begins to keep an answer; it replaces the one at the same address. `undefined` when there is no room for it. */
  record(address: Address, head: StoredHead, bodyBytes: number | undefined): Recording | undefined
  /** Which of the answers below the key this request would get, as far as they are known: equal texts, equal answers. */
  variantOf(address: Address): string
  /** Forgets all below the key; says whether there was anything. */
  purge(key: string): boolean | Promise<boolean>
  readonly entries: number
  readonly bytes: number
  /** Gives up what is being recorded and lets go of what it holds. */
  close(): void | Promise<void>
}
