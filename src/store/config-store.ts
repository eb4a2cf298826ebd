/**
 * Where configuration is kept. Revisions, key order and conflict rules are etcd's: one counter for the whole store, raised by
 * every write; keys compare as UTF-8 bytes. Values are opaque text to a store.
 */
export interface StoredItem {
  readonly key: string
  readonly value: string
  readonly createRevision: number
  readonly modRevision: number
}

/** What a list saw: every item under the prefix, in byte order of keys, as of `revision`. */
export interface Listing {
  readonly items: readonly StoredItem[]
  readonly revision: number
  /** Names the history that the revision counts in, where the store can be replaced by another: etcd's cluster. */
  readonly source?: string
}

export type StoreEvent =
  | { readonly type: 'put'; readonly item: StoredItem }
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: number }

export interface PutOptions {
  /** Write only if the key is at this mod revision; 0 means "only if it does not exist". Otherwise {@link RevisionConflictError}. */
  readonly expectedRevision?: number
  /** Attaches the key to this lease: it vanishes when the lease ends. */
  readonly leaseId?: string
}

export interface PutResult {
  readonly revision: number
  readonly createRevision: number
  /** What stood there before, absent when the key is new. */
  readonly previous?: StoredItem
}

export interface DeleteResult {
  readonly revision: number
  readonly deleted: readonly StoredItem[]
}

export interface Lease {
  readonly id: string
  /** Restarts the countdown. Throws {@link LeaseLostError} when the lease has ended. */
  keepAlive(): Promise<void>
  /** Ends the lease now and deletes its keys. */
  revoke(): Promise<void>
}

/** Told in order and one at a time; a throw from a sink is the store's to log, never to lose events over. */
export interface WatchSink {
  /** Events of whole revisions, in order; `revision` is the last one delivered. */
  onEvents(events: readonly StoreEvent[], revision: number): void
  /** Nothing changed up to `revision`: the watch is alive. */
  onProgress?(revision: number): void
  /** The watch has ended by itself and nothing more follows; the cause tells whether to resume or to list again. */
  onEnd(cause: WatchEnd): void
}

export type WatchEnd =
  | { readonly reason: 'disconnected'; readonly message: string }
  /** The revision asked for is gone, or the store went back in time: list again. */
  | { readonly reason: 'compacted' | 'rolled-back'; readonly message: string }
  | { readonly reason: 'closed' }

export interface Watch {
  close(): Promise<void>
}

export interface ConfigStore {
  /** Short word for logs and status: memory, embedded, etcd, file. */
  readonly name: string
  readonly isReadOnly: boolean
  /** Everything under `prefix` at one revision. */
  list(prefix: string): Promise<Listing>
  /** As {@link list}, where that is more than a look: for who only compares. */
  peek?(prefix: string): Promise<Listing>
  get(key: string): Promise<StoredItem | undefined>
  put(key: string, value: string, options?: PutOptions): Promise<PutResult>
  /** Deletes one key; deleting nothing is no error and raises no revision. */
  delete(key: string, options?: { readonly expectedRevision?: number }): Promise<DeleteResult>
  deletePrefix(prefix: string): Promise<DeleteResult>
  /** Ends by itself after `ttlSeconds` (at least 1) without a keep-alive. */
  grantLease(ttlSeconds: number): Promise<Lease>
  /** Events under `prefix` with a revision of at least `fromRevision`. */
  watch(prefix: string, fromRevision: number, sink: WatchSink): Watch
  /** Ends watches and releases everything. Idempotent. */
  close(): Promise<void>
}

/** The key was not at the expected revision; nothing was written. */
export class RevisionConflictError extends Error {
  override readonly name = 'RevisionConflictError'
  readonly key: string
  readonly expectedRevision: number

  constructor(key: string, expectedRevision: number) {
    super(`key "${key}" is not at revision ${expectedRevision}; read it again and retry`)
    this.key = key
    this.expectedRevision = expectedRevision
  }
}

/** The store could not be reached or refused to serve; nothing is known about a write that was under way. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError'
}

export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError'
}

/** The store takes no writes: its content comes from a file. */
export class ReadOnlyStoreError extends Error {
  override readonly name = 'ReadOnlyStoreError'
}
