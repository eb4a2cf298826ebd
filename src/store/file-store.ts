import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { type Clock, SYSTEM_CLOCK } from '../lib/clock.ts'
import type { Environment } from '../lib/env-variables.ts'
import { parseJsonLists } from '../lib/json-lists.ts'
import { TimeSlices } from '../lib/time-slices.ts'
import {
  type ConfigStore,
  type DeleteResult,
  type Lease,
  type Listing,
  type PutResult,
  ReadOnlyStoreError,
  type StoredItem,
  StoreUnavailableError,
  type Watch,
  type WatchSink,
} from './config-store.ts'
import { ConfigsStore } from './configs-store.ts'
import { type FileFormat, readFileContent } from './file-format.ts'
import { FileWatcher } from './file-watcher.ts'
import type { StoreLog } from './store-log.ts'
import { parseYaml } from './yaml-text.ts'
import { yamlToJson } from './yaml-thread.ts'

export interface FileStoreOptions {
  readonly path: string
  /** Default: what the file's name ends in; JSON for `.json`, else YAML. */
  readonly format?: FileFormat
  /** Put before every key, such as `/apisix`; no slash at its end. */
  readonly prefix: string
  readonly logger: StoreLog
  /** Default: the variables of the process. */
  readonly env?: Environment
  readonly clock?: Clock
  /** Default 1,000. */
  readonly pollIntervalMs?: number
  /** Told when a file was taken, and when one could not be used. */
  readonly onStatus?: (status: FileStatus) => void
}

export interface FileStatus {
  readonly path: string
  /** When the content that is served was read, in ms since the epoch; absent before the first good one. */
  readonly loadedAtMs?: number
  /** Why the file as it is now cannot be used; the last good content goes on being served. */
  readonly problem?: string
}

/** Serves `apisix.yaml` or `apisix.json` (contract §2.3): read-only, read again when it changes, the last good content kept. */
export class FileStore implements ConfigStore {
  readonly name = 'file'
  readonly isReadOnly = true
  readonly #options: FileStoreOptions
  readonly #path: string
  readonly #content: ConfigsStore
  readonly #watcher: FileWatcher
  readonly #firstLoad: Promise<void>
  #status: FileStatus
  /** What the file looked like when it was last read, from outside and inside. */
  #seenStat = ''
  #seenHash = ''

  /** Begins to read; `list` waits for that and rejects as long as there was no good content. */
  constructor(options: FileStoreOptions) {
    const { logger, clock = SYSTEM_CLOCK, pollIntervalMs = 1000 } = options
    this.#options = options
    this.#path = resolve(options.path)
    this.#status = { path: this.#path }
    this.#content = new ConfigsStore({ logger })
    this.#watcher = new FileWatcher({
      path: this.#path,
      clock,
      logger,
      pollIntervalMs,
      check: () => this.#check(),
    })
    this.#firstLoad = this.#watcher.check()
  }

  status(): FileStatus {
    return this.#status
  }

  async list(prefix: string): Promise<Listing> {
    await this.#checkLoaded()
    return this.#content.list(prefix)
  }

  async get(key: string): Promise<StoredItem | undefined> {
    await this.#checkLoaded()
    return this.#content.get(key)
  }

  async put(): Promise<PutResult> {
    throw this.#readOnly()
  }

  async delete(): Promise<DeleteResult> {
    throw this.#readOnly()
  }

  async deletePrefix(): Promise<DeleteResult> {
    throw this.#readOnly()
  }

  async grantLease(): Promise<Lease> {
    throw this.#readOnly()
  }

  watch(prefix: string, fromRevision: number, sink: WatchSink): Watch {
    return this.#content.watch(prefix, fromRevision, sink)
  }

  async close(): Promise<void> {
    await this.#watcher.close()
    await this.#content.close()
  }

  async #checkLoaded(): Promise<void> {
    await this.#firstLoad
    if (this.#status.loadedAtMs !== undefined) return
    throw new StoreUnavailableError(
      `${this.#path} cannot be used: ${this.#status.problem ?? 'it was not read'}`,
    )
  }

  async #check(): Promise<void> {
    try {
      await this.#reloadIfChanged()
    } catch (error) {
      // A file that is back counts as new, even with the content it had.
      if (isFileError(error)) this.#forgetSeen()
      this.#reject(error instanceof Error ? error.message : String(error))
    }
  }

  async #reloadIfChanged(): Promise<void> {
    const facts = await stat(this.#path, { bigint: true })
    const seen = [facts.ino, facts.size, facts.mtimeNs, facts.ctimeNs].join()
    if (seen === this.#seenStat) return
    const text = await readFile(this.#path, 'utf8')
    // Told from outside before reading, so that a change during the read is seen at the next look.
    this.#seenStat = seen
    const hash = createHash('sha256').update(text).digest('base64')
    if (hash === this.#seenHash) return
    this.#seenHash = hash
    await this.#take(text, Number(facts.mtimeMs))
  }

  async #take(text: string, modifiedAtMs: number): Promise<void> {
    const { prefix, env = process.env, logger } = this.#options
    const format = this.#options.format ?? (extname(this.#path) === '.json' ? 'json' : 'yaml')
    const { values, warnings } = await readFileContent(text, { format, prefix, env, parseYaml: readYaml })
    for (const warning of warnings) logger.warn({ path: this.#path }, warning)
    // As in APISIX the time of the file is its version, so that a restart does not look like a step back.
    const entries = Array.from(values, ([key, value]) => ({ key, value, index: 0, isIndexed: false }))
    const lists = new Map([['all', { version: 0, entries }]])
    const changed = await this.#content.replace({ lists }, Math.floor(modifiedAtMs))
    logger.info({ path: this.#path, items: values.size, changed }, 'read the configuration file')
    this.#setStatus({ path: this.#path, loadedAtMs: Date.now() })
  }

  #reject(problem: string): void {
    if (problem === this.#status.problem) return
    const isServing = this.#status.loadedAtMs !== undefined
    const consequence = isServing ? 'the last good content stays' : 'there is no content yet'
    this.#options.logger.error(
      { path: this.#path, reason: problem },
      `the configuration file cannot be used; ${consequence}`,
    )
    this.#setStatus({ ...this.#status, problem })
  }

  #forgetSeen(): void {
    this.#seenStat = ''
    this.#seenHash = ''
  }

  #setStatus(status: FileStatus): void {
    this.#status = status
    this.#options.onStatus?.(status)
  }

  #readOnly(): ReadOnlyStoreError {
    return new ReadOnlyStoreError(`the configuration comes from ${this.#path}; change that file instead`)
  }
}

function isFileError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}

/** From so many characters on, YAML is read on a thread: it takes a second for some megabytes. */
const LONG_TEXT = 64 * 1024

async function readYaml(text: string): Promise<unknown> {
  if (text.length < LONG_TEXT) return parseYaml(text)
  const json = await yamlToJson(text)
  if (!json.startsWith('{')) return JSON.parse(json)
  return Object.fromEntries(await parseJsonLists(json, new TimeSlices()))
}
