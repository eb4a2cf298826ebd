import { KINDS } from '../model/kind.ts'
import type { Logger } from '../observe/logger.ts'
import type { Router } from '../router/router.ts'
import { findReferences } from '../secret/reference.ts'
import type { Listing, StoredItem, StoreEvent } from '../store/config-store.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { AppliedWaiters } from './applied.ts'
import type { Barred } from './barred.ts'
import { CertificateIndex } from './certificate-index.ts'
import { Compiler } from './compile.ts'
import type { CompileEnvironment } from './compile-parts.ts'
import { ConsumerIndex } from './consumers.ts'
import { addressOf, contentOf, isMarker } from './decode.ts'
import { type Graph, nameOf } from './graph.ts'
import { Intake, type Quarantined } from './intake.ts'
import type { Plan } from './plan.ts'
import { byKind, type Change, changesAgain, type IsMeant, type ReconsiderOptions } from './reconsider.ts'
import { type Pin, Retirement } from './retire.ts'
import { type SecretKeeper, SecretLinks } from './secret-links.ts'
import { GlobalChain, type Snapshot } from './snapshot.ts'
import { type DecryptDocument, mayRefer } from './stored-document.ts'

/** How far configuration has come (house rule 7). */
export interface SyncStatus {
  /** Newest revision heard of. */
  readonly observed: number
  /** The revision that requests meet; 0 before the first publish. */
  readonly published: number
  /** The revision being compiled, absent when nothing is pending. */
  readonly pending: number | undefined
  /** Since when something newer than what is published is known, in ms since the epoch; absent when nothing is. */
  readonly behindSinceMs: number | undefined
  readonly quarantined: readonly Quarantined[]
  readonly lastPublishedAtMs: number | undefined
}

export interface PublisherOptions {
  readonly prefix: string
  readonly environment: CompileEnvironment
  readonly router: Router<Plan>
  readonly metadata: Map<string, Readonly<Record<string, unknown>>>
  readonly logger: Logger
  /** Wall clock in ms. */
  readonly now: () => number
  /** Absent: nothing is encrypted. */
  readonly decrypt?: DecryptDocument | undefined
  /** Absent: references to secrets have no value. */
  readonly secrets?: SecretKeeper | undefined
  /** Told after each swap. */
  readonly onPublish?: (snapshot: Snapshot) => void
  /** Told of a key right before what it holds is compiled. */
  readonly onCompile?: ((key: string) => void) | undefined
}

/** Longest time in ms that a round waits for secrets; what comes later makes a round of its own. */
const SECRETS_WAIT_MS = 2000

/** Longest time in ms that compiling holds the event loop before requests get their turn. */
const SLICE_MS = 8

/**
 * From the store's events to the snapshot that requests meet. Events are gathered while a round compiles and make up the next
 * one, so that every published snapshot is a state the store really had; a round is shown in one synchronous step.
 */
export class Publisher {
  /** Who waits for a revision to be served. */
  readonly applied = new AppliedWaiters()
  readonly #options: PublisherOptions
  readonly #compiler: Compiler
  readonly #retirement = new Retirement()
  readonly #links: SecretLinks
  readonly #intake: Intake
  /** By key: only the newest change of each counts. */
  #gathered = new Map<string, Change>()
  #gatheredRevision = 0
  #observed = 0
  #pending: number | undefined
  #behindSinceMs: number | undefined
  #publishedAtMs: number | undefined
  #running: Promise<void> | undefined
  /** Who waits for the round that is gathered. */
  #waiting: (() => void)[] = []
  #hasState = false
  #isClosed = false
  #onFirstPublish: (() => void) | undefined
  #current: Snapshot

  constructor(options: PublisherOptions) {
    this.#options = options
    const { environment, logger, decrypt = (_ref, document) => document } = options
    this.#links = new SecretLinks(options.secrets)
    this.#compiler = new Compiler(environment, options.router, options.metadata)
    this.#intake = new Intake({
      compiler: this.#compiler,
      links: this.#links,
      rules: { plugins: environment.plugins, logger, decrypt },
      certificates: environment.secrets,
      ...options,
    })
    this.#current = this.#snapshot(0, {
      consumers: ConsumerIndex.EMPTY,
      certificates: CertificateIndex.EMPTY,
      global: GlobalChain.EMPTY,
    })
  }

  /** What serves now. Read it once per request, together with {@link pin}. */
  get current(): Snapshot {
    return this.#current
  }

  /** Holds what the current snapshot consists of; release it exactly once. */
  pin(): Pin {
    return this.#retirement.pin()
  }

  /** The resources that serve: read-only, for look-ups and in-use checks. */
  get graph(): Graph {
    return this.#compiler.graph
  }

  /** The upstream of that id, as of the round that compiles or has been shown. */
  findUpstream(id: string): Upstream | undefined {
    return this.#compiler.compiled('upstreams', id)?.upstream
  }

  get status(): SyncStatus {
    return {
      observed: this.#observed,
      published: this.#current.revision,
      pending: this.#pending,
      behindSinceMs: this.#behindSinceMs,
      quarantined: [...this.#intake.quarantine.values()],
      lastPublishedAtMs: this.#publishedAtMs,
    }
  }

  /** The complete state of the store: what it does not hold is removed. */
  onState(listing: Listing): void {
    const present = new Set<string>()
    for (const item of listing.items) {
      present.add(item.key)
      this.#gather(item.key, item)
    }
    for (const kind of KINDS) {
      for (const resource of this.#compiler.graph.list(kind)) {
        if (!present.has(resource.key)) this.#gather(resource.key, undefined)
      }
    }
    for (const { key } of this.#intake.refused.values()) if (!present.has(key)) this.#gather(key, undefined)
    this.#observe(listing.revision)
  }

  /** Changes in the order they were made. */
  onEvents(events: readonly StoreEvent[], revision: number): void {
    for (const event of events) {
      if (event.type === 'put') this.#gather(event.item.key, event.item, true)
      else this.#gather(event.key, undefined)
    }
    this.#observe(revision)
  }

  /**
   * Compiles these resources again although they are as they were: a plugin or a secret that they use is not. Resolves when requests
   * meet what has become of them.
   */
  reconsider(isMeant: IsMeant, options?: ReconsiderOptions): Promise<void> {
    for (const change of changesAgain(this.#intake, isMeant, options)) {
      if (!this.#gathered.has(change.item.key)) this.#gathered.set(change.item.key, change)
    }
    if (!this.#hasRounds) return Promise.resolve()
    this.#observe(this.#observed)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Sets a version aside that its checks let pass: it is quarantined, and the one before it serves. Another version is free again. */
  bar(barred: Barred): void {
    this.#intake.barred.set(barred)
    this.#compileAgain(barred.item)
  }

  /** Takes {@link bar} back. */
  unbar(item: StoredItem): void {
    if (this.#intake.barred.delete(item.key)) this.#compileAgain(item)
  }

  /** The answers to these references are not what they were. */
  onSecrets(references: ReadonlySet<string>): void {
    void this.reconsider((ref) => this.#links.refersTo(nameOf(ref), references))
  }

  /** Resolves at the first publish, at once when it has been; rejects when `signal` is aborted before. */
  firstPublish(signal: AbortSignal): Promise<void> {
    if (this.#publishedAtMs !== undefined) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal.reason)
      signal.addEventListener('abort', onAbort, { once: true })
      this.#onFirstPublish = () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
    })
  }

  /** Resolves when everything gathered so far is published. */
  async settled(): Promise<void> {
    while (this.#running) await this.#running
  }

  /** Disposes everything that was compiled. Call after the last request has ended. */
  close(): void {
    this.#isClosed = true
    this.applied.close()
    for (const resolve of this.#waiting.splice(0)) resolve()
    for (const kind of KINDS) {
      for (const { id } of [...this.#compiler.graph.list(kind)]) this.#compiler.delete({ kind, id })
    }
    this.#retirement.advance(this.#compiler.finish().garbage)
    this.#retirement.flush()
  }

  #gather(key: string, item: StoredItem | undefined, isTold = false): void {
    const address = addressOf(key, this.#options.prefix)
    if (!address || (item && isMarker(item))) return
    const forced = this.#gathered.get(key)
    if (forced?.isForced && forced.item?.modRevision === item?.modRevision) return
    this.#gathered.set(key, { address, item, isTold })
  }

  /** Before the first publish there is nothing to show again: it would show nothing as if that were all. */
  get #hasRounds(): boolean {
    return (this.#publishedAtMs !== undefined || this.#running !== undefined) && !this.#isClosed
  }

  #compileAgain(item: StoredItem): void {
    const address = addressOf(item.key, this.#options.prefix)
    if (!address || !this.#hasRounds) return
    if (!this.#gathered.has(item.key)) this.#gathered.set(item.key, { address, item, isForced: true })
    this.#observe(this.#observed)
  }

  #observe(revision: number): void {
    this.#observed = revision
    this.#gatheredRevision = revision
    this.#hasState = true
    this.#behindSinceMs ??= this.#options.now()
    this.#running ??= this.#run()
  }

  async #run(): Promise<void> {
    // Lets the writes of one turn of the event loop share a round.
    await nextTurn()
    while (this.#hasState && !this.#isClosed) {
      const changes = this.#gathered
      const revision = this.#gatheredRevision
      const waiting = this.#waiting
      this.#gathered = new Map()
      this.#waiting = []
      this.#hasState = false
      this.#pending = revision
      try {
        await this.#compile(changes)
        await this.#compiler.stage()
        // New names and services get a moment, so that what is shown has its nodes.
        await this.#options.environment.upstreams.feeds?.firstAnswers()
        this.#publish(revision)
      } catch (error) {
        // A fault of ours. It must not end the process, which would meet the same configuration at its next start.
        this.#options.logger.error(
          { err: error, revision },
          'a configuration cannot be shown; what served serves on',
        )
      }
      for (const resolve of waiting) resolve()
    }
    this.#pending = undefined
    this.#running = undefined
  }

  async #compile(changes: ReadonlyMap<string, Change>): Promise<void> {
    let sliceStart = performance.now()
    const grouped = byKind(changes)
    for (const kind of KINDS) {
      const ofKind = grouped.get(kind) ?? []
      await this.#askAhead(ofKind)
      for (const [key, change] of ofKind) {
        this.#intake.apply(key, change)
        if (performance.now() - sliceStart < SLICE_MS) continue
        await nextTurn()
        sliceStart = performance.now()
      }
    }
  }

  /** Secrets are fetched before what needs them is compiled, all of a kind together. */
  async #askAhead(changes: readonly (readonly [key: string, change: Change])[]): Promise<void> {
    const references = changes.flatMap(([, { item }]) =>
      item && mayRefer(item) ? [...findReferences(contentOf(item))] : [],
    )
    if (references.length > 0) await this.#options.secrets?.ask(references, SECRETS_WAIT_MS)
  }

  #publish(revision: number): void {
    const round = this.#compiler.finish()
    for (const commit of round.commits) commit()
    const { consumers, certificates, global } = this.#current
    const hasConsumers = round.addedConsumers.length + round.removedConsumers.length > 0
    this.#current = this.#snapshot(revision, {
      consumers: hasConsumers ? consumers.with(round.removedConsumers, round.addedConsumers) : consumers,
      certificates: round.certificates
        ? certificates.with(round.certificates.removed, round.certificates.added)
        : certificates,
      global: round.isGlobalChanged ? this.#globalChain() : global,
    })
    this.#publishedAtMs = this.#options.now()
    this.#behindSinceMs = this.#hasState ? this.#publishedAtMs : undefined
    this.#retirement.advance(round.garbage)
    this.#options.onPublish?.(this.#current)
    this.applied.publish(revision)
    this.#onFirstPublish?.()
    this.#onFirstPublish = undefined
  }

  #snapshot(revision: number, parts: Pick<Snapshot, 'consumers' | 'certificates' | 'global'>): Snapshot {
    const { router } = this.#options
    return { revision, ...parts, match: (request) => router.match(request) }
  }

  #globalChain(): GlobalChain {
    const compiler = this.#compiler
    const rules = [...compiler.graph.list('global_rules')].map(
      ({ id }) => compiler.compiled('global_rules', id)!.instances,
    )
    const { chain, duplicates } = GlobalChain.of(rules)
    if (duplicates.length > 0) {
      this.#options.logger.error(
        { plugins: duplicates },
        'plugins that stand in two global rules run in neither',
      )
    }
    return chain
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
