import { buildChain, type Chain, EMPTY_CHAIN } from '../plugin/chain.ts'
import type { Instance } from '../plugin/instance.ts'
import type { ConsumerChain, ConsumerEntry } from './plan.ts'

/** Instances by plugin name; `undefined` stands for a plugin that is configured but disabled, which hides a weaker one. */
export type InstanceMap = ReadonlyMap<string, Instance | undefined>

const NOTHING: InstanceMap = new Map()

/** Precedence of contract §4.6, strongest first: route, plugin_config, service; consumer, consumer_group. */
export function mergeRoute(...strongestFirst: readonly (InstanceMap | undefined)[]): InstanceMap {
  const present = strongestFirst.filter((map): map is InstanceMap => map !== undefined && map.size > 0)
  if (present.length === 0) return NOTHING
  if (present.length === 1) return present[0]!
  const merged = new Map<string, Instance | undefined>()
  for (const map of present.reverse()) for (const [name, instance] of map) merged.set(name, instance)
  return merged
}

export function chainOf(instances: InstanceMap): Chain {
  const enabled = [...instances.values()].filter((instance) => instance !== undefined)
  return enabled.length === 0 ? EMPTY_CHAIN : buildChain(enabled)
}

/**
 * Chains with a consumer in them, made at the first request of each pair and kept as long as both live: routes × consumers is
 * too many to make ahead.
 */
export class ConsumerChains {
  readonly #route: InstanceMap
  readonly #plain: ConsumerChain
  /** By the instances, which all credentials of a consumer share. */
  readonly #made = new WeakMap<InstanceMap, ConsumerChain>()

  constructor(route: InstanceMap, chain: Chain) {
    this.#route = route
    this.#plain = { chain, added: EMPTY_CHAIN }
  }

  for({ instances }: ConsumerEntry): ConsumerChain {
    if (instances.size === 0) return this.#plain
    let made = this.#made.get(instances)
    if (!made) {
      made = this.#merge(instances)
      this.#made.set(instances, made)
    }
    return made
  }

  #merge(consumer: InstanceMap): ConsumerChain {
    const added = new Map([...consumer].filter(([name]) => !this.#route.has(name)))
    return { chain: chainOf(mergeRoute(consumer, this.#route)), added: chainOf(added) }
  }
}
