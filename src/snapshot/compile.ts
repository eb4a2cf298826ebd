import { TimeSlices } from '../lib/time-slices.ts'
import type { Kind, Ref } from '../model/kind.ts'
import type { RouteEntry, Router } from '../router/router.ts'
import { buildEntry, type PlanParts } from './build-plan.ts'
import { COMPILE, type Compiled, type CompileJob } from './compile-kinds.ts'
import { type CompileEnvironment, removeUpstream } from './compile-parts.ts'
import type { CompiledSsl } from './compile-ssl.ts'
import { ConsumerAssembly } from './consumer-assembly.ts'
import type { IndexedConsumer } from './consumers.ts'
import { Graph, nameOf, type Resource } from './graph.ts'
import type { Plan } from './plan.ts'
import { type RefusedSsl, type StandIns, standInsFor } from './refused-ssl.ts'
import type { Disposal } from './retire.ts'
import type { ServerCertificate } from './server-certificate.ts'
import { type CertificateChanges, ShownCertificates } from './shown-certificates.ts'
import { Transaction } from './transaction.ts'

/** What a round of changes comes to, applied in one synchronous step by the publisher. */
export interface RoundResult {
  readonly commits: readonly Disposal[]
  readonly garbage: readonly Disposal[]
  readonly removedConsumers: readonly IndexedConsumer[]
  readonly addedConsumers: readonly IndexedConsumer[]
  /** Absent when there are none. */
  readonly certificates: CertificateChanges | undefined
  readonly isGlobalChanged: boolean
}

/** Kinds whose change makes anew what is merged from them, the plans of routes and consumers; an upstream is read through its object instead. */
const SHAPES_PLANS: ReadonlySet<Kind> = new Set<Kind>(['services', 'plugin_configs', 'consumer_groups'])

/**
 * Turns documents into instances, upstreams and plans, touching only what a change reaches. Nothing it does is visible to a
 * request before the publisher runs the round's commits.
 */
export class Compiler {
  readonly graph = new Graph()
  readonly #environment: CompileEnvironment
  readonly #router: Router<Plan>
  readonly #metadata: Map<string, Readonly<Record<string, unknown>>>
  readonly #compiled = new Map<string, Compiled[Kind]>()
  readonly #certificates = new ShownCertificates()
  /** By id of an ssl. */
  readonly #standIns = new Map<string, StandIns>()
  readonly #consumers = new ConsumerAssembly()
  #round = newRound()

  constructor(
    environment: CompileEnvironment,
    router: Router<Plan>,
    metadata: Map<string, Readonly<Record<string, unknown>>>,
  ) {
    this.#environment = environment
    this.#router = router
    this.#metadata = metadata
  }

  /** Adds or replaces a checked document. Throws with a reason for people; then everything is as it was before. */
  put<K extends Kind>(resource: Omit<Resource<K>, 'order'>): void {
    const { kind, id } = resource
    const name = nameOf(resource)
    const previous = this.#compiled.get(name) as Compiled[K] | undefined
    const transaction = new Transaction()
    const job = { ref: { kind, id }, document: resource.value, previous } as CompileJob<K>
    let compiled: Compiled[K]
    try {
      compiled = COMPILE[kind](job, this.#environment, transaction)
    } catch (error) {
      transaction.fail()
      throw error
    }
    this.graph.set(resource as Omit<Resource, 'order'>)
    this.#compiled.set(name, compiled)
    this.#round.transactions.push(transaction)
    this.#changed(resource, previous, compiled)
  }

  /** Removes a document; removing what is not there is nothing. */
  delete(ref: Ref): void {
    const name = nameOf(ref)
    const previous = this.#compiled.get(name)
    if (ref.kind === 'ssls') this.#showSsl(ref.id, undefined)
    if (!previous) return
    this.graph.delete(ref)
    this.#compiled.delete(name)
    this.#retire(previous)
    this.#changed(ref, previous, undefined)
  }

  /**
   * A stored ssl cannot be used: puts into its place what {@link standInsFor} says, and returns that. A text that could not be read
   * says nothing, so that what stood in before goes on.
   */
  refuseSsl(id: string, refused: RefusedSsl | undefined): StandIns | undefined {
    if (!refused) return this.#standIns.get(id)
    this.restoreSsl(id)
    const document = this.graph.get('ssls', id)?.value
    const certificate = this.compiled('ssls', id)?.server
    const standIns = standInsFor(id, refused, document && { document, certificate })
    if (!standIns) return undefined
    this.#standIns.set(id, standIns)
    this.#certificates.show(id, standIns.certificates)
    return standIns
  }

  /** The last good version of an ssl serves again as it did, or nothing does when there is none. */
  restoreSsl(id: string): void {
    this.#showSsl(id, this.compiled('ssls', id)?.server)
  }

  /**
   * Builds the plans that the round reaches and gets the router ready for them, in slices. What is put or deleted after it needs
   * another round: {@link finish} follows.
   */
  async stage(): Promise<void> {
    const slices = new TimeSlices()
    const { dirtyRoutes, transactions } = this.#round
    const puts: RouteEntry<Plan>[] = []
    const deletes: string[] = []
    for (const id of dirtyRoutes) {
      const parts = this.#partsOf(id)
      if (!parts || parts.route.status === 0) deletes.push(id)
      else puts.push(buildEntry(parts))
      const pause = slices.pause()
      if (pause) await pause
    }
    dirtyRoutes.clear()
    const transaction = new Transaction()
    transaction.onCommit(await this.#router.prepare({ puts, deletes }, () => slices.pause()))
    transactions.push(transaction)
  }

  /** Ends the round and hands over what is to be shown. */
  finish(): RoundResult {
    const { transactions, isGlobalChanged } = this.#round
    this.#round = newRound()
    const { removed: removedConsumers, added: addedConsumers } = this.#consumers.finish({
      consumer: (id) => this.compiled('consumers', id),
      group: (id) => this.compiled('consumer_groups', id),
      credential: (id) => this.compiled('credentials', id),
    })
    return {
      commits: transactions.flatMap((one) => one.commits),
      garbage: transactions.flatMap((one) => one.garbage),
      removedConsumers,
      addedConsumers,
      certificates: this.#certificates.takeChanges(),
      isGlobalChanged,
    }
  }

  compiled<K extends Kind>(kind: K, id: string): Compiled[K] | undefined {
    return this.#compiled.get(nameOf({ kind, id })) as Compiled[K] | undefined
  }

  #changed(ref: Ref, previous: Compiled[Kind] | undefined, next: Compiled[Kind] | undefined): void {
    const { kind, id } = ref
    const round = this.#round
    if (kind === 'routes') round.dirtyRoutes.add(id)
    else if (kind === 'consumers') this.#consumers.touch(id)
    else if (kind === 'credentials') this.#consumers.touchCredential(id, next !== undefined)
    else if (kind === 'ssls') {
      this.#stageSsl(id, previous as CompiledSsl | undefined, next as CompiledSsl | undefined)
    } else if (kind === 'global_rules') round.isGlobalChanged = true
    else if (kind === 'plugin_metadata')
      this.#stageMetadata(id, next as Compiled['plugin_metadata'] | undefined)
    else if (SHAPES_PLANS.has(kind) || !previous || !next) this.#dirtyDependents(ref)
  }

  #showSsl(id: string, certificate: ServerCertificate | undefined): void {
    this.#standIns.delete(id)
    this.#certificates.show(id, certificate ? [certificate] : [])
  }

  #stageSsl(id: string, previous: CompiledSsl | undefined, next: CompiledSsl | undefined): void {
    this.#showSsl(id, next?.server)
    if (!previous?.client && !next?.client) return
    const { clientCertificates } = this.#environment
    const transaction = new Transaction()
    transaction.onCommit(() => {
      if (next?.client) clientCertificates.set(id, next.client)
      else clientCertificates.delete(id)
    })
    this.#round.transactions.push(transaction)
  }

  #stageMetadata(id: string, next: Compiled['plugin_metadata'] | undefined): void {
    const transaction = new Transaction()
    transaction.onCommit(() => {
      if (next) this.#metadata.set(id, next.value)
      else this.#metadata.delete(id)
    })
    this.#round.transactions.push(transaction)
  }

  #dirtyDependents(ref: Ref): void {
    for (const dependent of this.graph.dependents(ref)) {
      if (dependent.kind === 'routes') this.#round.dirtyRoutes.add(dependent.id)
      else if (dependent.kind === 'consumers') this.#consumers.touch(dependent.id)
      else if (dependent.kind === 'services') this.#dirtyDependents(dependent)
    }
  }

  #partsOf(id: string): PlanParts | undefined {
    const resource = this.graph.get('routes', id)
    const compiled = this.compiled('routes', id)
    if (!resource || !compiled) return undefined
    const route = resource.value
    const configId = route.plugin_config_id
    return {
      id,
      order: resource.order,
      route,
      compiled,
      service: this.#serviceOf(route.service_id),
      pluginConfig: configId === undefined ? undefined : this.compiled('plugin_configs', String(configId)),
      findUpstream: (upstreamId) => this.compiled('upstreams', upstreamId)?.upstream,
    }
  }

  #serviceOf(id: string | number | undefined): PlanParts['service'] {
    if (id === undefined) return undefined
    const resource = this.graph.get('services', String(id))
    const compiled = this.compiled('services', String(id))
    return resource && compiled && { id: resource.id, document: resource.value, compiled }
  }

  #retire(compiled: Compiled[Kind]): void {
    const transaction = new Transaction()
    if ('instances' in compiled) {
      for (const instance of compiled.instances.values()) {
        if (instance) transaction.onRetire(() => void this.#environment.instances.dispose(instance))
      }
    }
    if ('upstream' in compiled) {
      const { upstream } = compiled
      if (upstream) removeUpstream(upstream, this.#environment.upstreams, transaction)
    }
    this.#round.transactions.push(transaction)
  }
}

interface Round {
  readonly transactions: Transaction[]
  readonly dirtyRoutes: Set<string>
  isGlobalChanged: boolean
}

function newRound(): Round {
  return {
    transactions: [],
    dirtyRoutes: new Set(),
    isGlobalChanged: false,
  }
}
