import type { Ref } from '../model/kind.ts'
import { withoutQuotedValues } from '../model/quoted-values.ts'
import type { Logger } from '../observe/logger.ts'
import { findReferences } from '../secret/reference.ts'
import type { SecretSource } from '../secret/secret-source.ts'
import type { StoredItem } from '../store/config-store.ts'
import { type Barred, BarredVersions } from './barred.ts'
import type { Compiler } from './compile.ts'
import { type Address, contentOf } from './decode.ts'
import { type Graph, nameOf } from './graph.ts'
import type { Change, KnownResources } from './reconsider.ts'
import { readRefused } from './refused-ssl.ts'
import type { SecretKeeper, SecretLinks } from './secret-links.ts'
import { mayRefer, type ReadRules, readStored } from './stored-document.ts'

/** A resource whose newest stored version cannot be used; its last good version, if any, goes on serving. */
export interface Quarantined extends Ref {
  readonly reason: string
  readonly modRevision: number
  /** When the first version that cannot be used became known, in ms since the epoch. */
  readonly sinceMs: number
  /** Whether an earlier version serves in its place. */
  readonly isServing: boolean
}

export interface IntakeParts {
  readonly compiler: Compiler
  readonly links: SecretLinks
  readonly rules: ReadRules
  /** What refused certificates are read with. */
  readonly certificates: SecretSource
  readonly secrets?: SecretKeeper | undefined
  readonly logger: Logger
  /** Wall clock in ms. */
  readonly now: () => number
  /** Told of a key right before what it holds is compiled. */
  readonly onCompile?: ((key: string) => void) | undefined
}

/** What is shown may quote what was written, whose length is nobody's choice here. */
const LONGEST_REASON = 1000

/** Takes stored resources in one by one: compiles what can be used, and sets aside what cannot. */
export class Intake implements KnownResources {
  /** Told of before it is met, or afterwards; then it has to be applied again. */
  readonly barred = new BarredVersions()
  /** What stands in the store of the quarantined, by name. */
  readonly refused = new Map<string, StoredItem>()
  /** What stands in the store of those that serve without some of their plugins, by name. */
  readonly abridged = new Map<string, StoredItem>()
  readonly #parts: IntakeParts
  readonly #quarantine = new Map<string, Quarantined>()

  constructor(parts: IntakeParts) {
    this.#parts = parts
  }

  get graph(): Graph {
    return this.#parts.compiler.graph
  }

  get quarantine(): ReadonlyMap<string, Quarantined> {
    return this.#quarantine
  }

  /** Never throws: what cannot be used is quarantined. */
  apply(key: string, { address, item, isTold, isForced = false, endsLastGood = false }: Change): void {
    const { compiler, links } = this.#parts
    const name = nameOf(address)
    if (!item) {
      this.#remove(address)
      return
    }
    const isRefused = this.#quarantine.get(name)?.modRevision === item.modRevision
    const isServing = this.graph.get(address.kind, address.id)?.modRevision === item.modRevision
    // What was to be compiled again may have changed in the round before this one.
    if (isForced ? !isRefused && !isServing : isRefused && !isTold) return
    if (!isForced && !isTold && isServing) {
      this.#accept(name)
      if (address.kind === 'ssls') compiler.restoreSsl(address.id)
      return
    }
    try {
      const barred = this.barred.of(key, item)
      if (barred) {
        this.#fallBack(address, barred)
        // What either may serve with has to stay known.
        const either = [item, ...(barred.before ? [barred.before] : [])].filter(mayRefer)
        links.set(name, new Set(either.flatMap((one) => [...findReferences(contentOf(one))])))
        throw new Error(barred.reason)
      }
      this.#use(address, item)
      this.#accept(name)
    } catch (error) {
      if (endsLastGood) compiler.delete(address)
      this.#setAside(address, item, links.hide(name, (error as Error).message))
    }
  }

  #remove(address: Address): void {
    const { compiler, links, secrets } = this.#parts
    const name = nameOf(address)
    this.#accept(name)
    links.delete(name)
    this.abridged.delete(name)
    compiler.delete(address)
    if (address.kind === 'secrets') secrets?.deleteManager(address.id)
  }

  #use(address: Address, item: StoredItem): void {
    const { compiler, links, rules, secrets, onCompile } = this.#parts
    const name = nameOf(address)
    const { key, createRevision, modRevision } = item
    onCompile?.(key)
    const { value, references, isAbridged } = readStored(address, item, rules)
    links.set(name, references)
    compiler.put({ ...address, key, value, createRevision, modRevision })
    if (address.kind === 'secrets') secrets?.setManager(address.id, { ...value })
    if (isAbridged) this.abridged.set(name, item)
    else this.abridged.delete(name)
  }

  #fallBack(address: Address, { item, before }: Barred): void {
    const serving = this.graph.get(address.kind, address.id)
    const isItself = serving?.modRevision === item.modRevision
    if (serving && !isItself && before !== null) return
    try {
      if (before) {
        this.#use(address, before)
        return
      }
    } catch (error) {
      const resource = nameOf(address)
      this.#parts.logger.error({ resource, err: error }, 'the version before cannot be used either')
    }
    this.#parts.compiler.delete(address)
  }

  #accept(name: string): void {
    this.#quarantine.delete(name)
    this.refused.delete(name)
  }

  #setAside(address: Address, item: StoredItem, message: string): void {
    const { compiler, certificates, logger, now } = this.#parts
    const { kind, id } = address
    // The reason is logged, and shown by the control API, which asks for no key.
    const problem = withoutQuotedValues(message)
    const { modRevision, value } = item
    const standIns =
      kind === 'ssls' ? compiler.refuseSsl(id, readRefused(value, problem, certificates)) : undefined
    const isServing = standIns?.isServing ?? this.graph.get(kind, id) !== undefined
    const whole = standIns?.consequence ? `${problem}; ${standIns.consequence}` : problem
    const reason = whole.length > LONGEST_REASON ? `${whole.slice(0, LONGEST_REASON)}…` : whole
    const sinceMs = this.#quarantine.get(nameOf(address))?.sinceMs ?? now()
    this.refused.set(nameOf(address), item)
    this.#quarantine.set(nameOf(address), { ...address, reason, modRevision, sinceMs, isServing })
    logger.error({ resource: nameOf(address), reason, isServing }, 'a stored resource cannot be used')
  }
}
