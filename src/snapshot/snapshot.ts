import type { Chain } from '../plugin/chain.ts'
import { buildChain, EMPTY_CHAIN } from '../plugin/chain.ts'
import type { Instance } from '../plugin/instance.ts'
import type { MatchRequest } from '../router/router.ts'
import type { CertificateIndex } from './certificate-index.ts'
import type { ConsumerIndex } from './consumers.ts'
import type { InstanceMap } from './merge.ts'
import type { Plan } from './plan.ts'

/**
 * One published configuration. A request takes it once, at its first byte, and matches in the same turn of the event loop; what
 * it matched stays usable until the request's pin is released.
 */
export interface Snapshot {
  /** The store's revision that it shows. */
  readonly revision: number
  readonly consumers: ConsumerIndex
  readonly certificates: CertificateIndex
  readonly global: GlobalChain
  match(request: MatchRequest): Plan | undefined
}

/** The plugins of all global rules, in one chain. */
export class GlobalChain {
  static readonly EMPTY = new GlobalChain([])

  readonly #all: Chain
  readonly #yielding: readonly Instance[]
  readonly #made = new WeakMap<Plan, Chain>()

  private constructor(instances: readonly Instance[]) {
    this.#all = instances.length === 0 ? EMPTY_CHAIN : buildChain(instances)
    this.#yielding = instances.filter((instance) => instance.plugin.runPolicy === 'prefer_route')
  }

  /** A plugin that stands in two rules runs in neither (contract §0.14); `duplicates` names them. */
  static of(rules: Iterable<InstanceMap>): { chain: GlobalChain; duplicates: string[] } {
    const byName = new Map<string, (Instance | undefined)[]>()
    for (const rule of rules) {
      for (const [name, instance] of rule) byName.set(name, [...(byName.get(name) ?? []), instance])
    }
    const duplicates = [...byName].filter(([, found]) => found.length > 1).map(([name]) => name)
    const single = [...byName.values()].filter((found) => found.length === 1).map((found) => found[0])
    return { chain: new GlobalChain(single.filter((instance) => instance !== undefined)), duplicates }
  }

  /** What runs beside the plan's own chain; plugins that prefer the route's configuration step back for it. */
  for(plan: Plan | undefined): Chain {
    if (!plan || this.#yielding.length === 0) return this.#all
    let chain = this.#made.get(plan)
    if (!chain) {
      chain = this.#without(plan)
      this.#made.set(plan, chain)
    }
    return chain
  }

  #without(plan: Plan): Chain {
    const own = new Set(plan.chain.instances.map((instance) => instance.plugin.name))
    const steppingBack = new Set(this.#yielding.filter((instance) => own.has(instance.plugin.name)))
    if (steppingBack.size === 0) return this.#all
    return buildChain(this.#all.instances.filter((instance) => !steppingBack.has(instance)))
  }
}
