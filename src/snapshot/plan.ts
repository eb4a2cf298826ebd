import type { Chain } from '../plugin/chain.ts'
import type { ConsumerView, FoundConsumer, RouteView } from '../plugin/context/request-context.ts'
import type { Reply } from '../plugin/definition.ts'
import type { Instance } from '../plugin/instance.ts'
import type { TimeoutsMs } from '../upstream/spec.ts'
import type { Upstream } from '../upstream/upstream.ts'

/** Everything a matched request needs, merged and sorted when configuration was compiled (contract §4.6). */
export interface Plan {
  readonly route: RouteView
  readonly chain: Chain
  /** Where it goes after the phases. */
  readonly upstream: Upstream | undefined
  /** What is answered where there is no upstream. */
  readonly noUpstream: Reply
  /** An answer given before any plugin of the route runs: what it refers to is missing. */
  readonly refusal: Reply | undefined
  /** The route's own timeouts; they win over the upstream's. */
  readonly timeouts: TimeoutsMs | undefined
  readonly isWebsocketEnabled: boolean
  /** The chain once `consumer` is attached: its plugins replace those of the same name (contract §4.6). */
  chainFor(consumer: ConsumerEntry): ConsumerChain
}

/** A plan's chain with one consumer's plugins in it. */
export interface ConsumerChain {
  readonly chain: Chain
  /** Of the chain: the plugins that only the consumer brought; their `rewrite` still has to run. */
  readonly added: Chain
}

/** A consumer as compiled: who it is, and the plugins it brings. */
export interface ConsumerEntry extends FoundConsumer {
  readonly view: ConsumerView
  /** The consumer's own and its group's; the same map as long as neither changes. */
  readonly instances: ReadonlyMap<string, Instance | undefined>
  /** The answer to its requests when something it refers to is missing. */
  readonly refusal: Reply | undefined
}
