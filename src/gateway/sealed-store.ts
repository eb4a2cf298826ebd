import { decryptDocument, type EncryptionDeps, encryptDocument } from '../secret/encrypted-fields.ts'
import { addressOf } from '../snapshot/decode.ts'
import type {
  ConfigStore,
  DeleteResult,
  Lease,
  Listing,
  PutOptions,
  PutResult,
  StoredItem,
  Watch,
  WatchSink,
} from '../store/config-store.ts'

export interface SealingRules extends EncryptionDeps {
  /** Of the store: `/apisix`. */
  readonly prefix: string
  /** The plugins with secret fields. */
  secretPlugins(): readonly string[]
}

/** Kinds whose own fields are secret. */
const ALWAYS_SECRET = /\/(?:ssls|secrets|plugin_metadata)\//

/**
 * A store as those see it who write configuration: secret fields are encrypted in what they put and readable in what they get
 * (contract §1.9). Watching and deleting show what is stored. Closing it is nothing: the store beneath is its owner's.
 */
export class SealedStore implements ConfigStore {
  readonly #store: ConfigStore
  readonly #rules: SealingRules

  constructor(store: ConfigStore, rules: SealingRules) {
    this.#store = store
    this.#rules = rules
  }

  get name(): string {
    return this.#store.name
  }

  get isReadOnly(): boolean {
    return this.#store.isReadOnly
  }

  async list(prefix: string): Promise<Listing> {
    const { items, revision } = await this.#store.list(prefix)
    const secretText = this.#secretText()
    return { items: items.map((item) => this.#opened(item, secretText)), revision }
  }

  async get(key: string): Promise<StoredItem | undefined> {
    const item = await this.#store.get(key)
    return item && this.#opened(item)
  }

  async put(key: string, value: string, options?: PutOptions): Promise<PutResult> {
    const sealed = this.#changed(key, value, encryptDocument)
    const { previous, ...result } = await this.#store.put(key, sealed, options)
    return previous ? { ...result, previous: this.#opened(previous) } : result
  }

  delete(key: string, options?: { readonly expectedRevision?: number }): Promise<DeleteResult> {
    return this.#store.delete(key, options)
  }

  deletePrefix(prefix: string): Promise<DeleteResult> {
    return this.#store.deletePrefix(prefix)
  }

  grantLease(ttlSeconds: number): Promise<Lease> {
    return this.#store.grantLease(ttlSeconds)
  }

  watch(prefix: string, fromRevision: number, sink: WatchSink): Watch {
    return this.#store.watch(prefix, fromRevision, sink)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #opened(item: StoredItem, secretText = this.#secretText()): StoredItem {
    const isPlain = !ALWAYS_SECRET.test(item.key) && !secretText.test(item.value)
    const value = isPlain ? item.value : this.#changed(item.key, item.value, decryptDocument)
    return value === item.value ? item : { ...item, value }
  }

  /** Finds texts that can hold a secret field: most hold none, and to parse a whole list for nothing would hold up everyone. */
  #secretText(): RegExp {
    return new RegExp(['client_key', ...this.#rules.secretPlugins()].map((name) => `"${name}"`).join('|'))
  }

  /** The text itself when nothing in it is a secret: what was put there by hand stays as it is to the byte. */
  #changed(key: string, text: string, change: typeof encryptDocument): string {
    const address = addressOf(key, this.#rules.prefix)
    const document = address && parseObject(text)
    if (!document) return text
    const changed = change(address, document, this.#rules)
    return changed === document ? text : JSON.stringify(changed)
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    // Not JSON, so without fields; readers of the store say so where it matters.
    return undefined
  }
}
