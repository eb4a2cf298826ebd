import type { Route, Service } from '../model/types.ts'
import type { Chain } from '../plugin/chain.ts'
import type { RouteView } from '../plugin/context/request-context.ts'
import type { Reply } from '../plugin/definition.ts'
import type { RouteEntry } from '../router/router.ts'
import type { TimeoutsMs } from '../upstream/spec.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { CompiledOwner, CompiledRoute, CompiledService } from './compile-kinds.ts'
import { ConsumerChains, chainOf, type InstanceMap, mergeRoute } from './merge.ts'
import type { ConsumerChain, ConsumerEntry, Plan } from './plan.ts'
import { PlannedRouteView } from './views.ts'

/** A route with everything it refers to, as far as it exists. */
export interface PlanParts {
  readonly id: string
  readonly order: number
  readonly route: Route
  readonly compiled: CompiledRoute
  readonly service:
    | { readonly id: string; readonly document: Service; readonly compiled: CompiledService }
    | undefined
  readonly pluginConfig: CompiledOwner | undefined
  /** The shared upstream of an id. */
  findUpstream(id: string): Upstream | undefined
}

const NO_HOSTS: readonly string[] = []
const NO_UPSTREAM: Reply = {
  status: 503,
  body: { error_msg: 'missing upstream configuration in Route or Service' },
}
const UPSTREAM_GONE: Reply = { status: 502 }
const SERVICE_GONE: Reply = { status: 404 }
const PLUGIN_CONFIG_GONE: Reply = { status: 503 }

/** The router's entry for a route; the statuses for what is missing are those of contract §4.6. */
export function buildEntry(parts: PlanParts): RouteEntry<Plan> {
  const { id, order, route, compiled, service } = parts
  const hosts =
    route.hosts ?? (route.host === undefined ? undefined : [route.host]) ?? service?.document.hosts ?? []
  return {
    id,
    order,
    ...compiled.matcher,
    hosts: hosts.length === 0 ? NO_HOSTS : hosts.map((host) => host.toLowerCase()),
    target: buildPlan(parts, hosts[0]),
  }
}

function buildPlan(parts: PlanParts, host: string | undefined): Plan {
  const { id, route, compiled, service, pluginConfig } = parts
  return new RoutePlan({
    instances: mergeRoute(compiled.instances, pluginConfig?.instances, service?.compiled.instances),
    route: new PlannedRouteView(id, { route, service }, host),
    ...destinationOf(parts),
    refusal: refusalOf(parts),
    timeouts: compiled.timeouts,
    isWebsocketEnabled: route.enable_websocket ?? service?.document.enable_websocket ?? false,
  })
}

class RoutePlan implements Plan {
  readonly route: RouteView
  readonly chain: Chain
  readonly upstream: Upstream | undefined
  readonly noUpstream: Reply
  readonly refusal: Reply | undefined
  readonly timeouts: TimeoutsMs | undefined
  readonly isWebsocketEnabled: boolean
  readonly #instances: InstanceMap
  #consumers: ConsumerChains | undefined

  constructor({
    instances,
    ...plan
  }: Omit<Plan, 'chain' | 'chainFor'> & { readonly instances: InstanceMap }) {
    this.route = plan.route
    this.chain = chainOf(instances)
    this.upstream = plan.upstream
    this.noUpstream = plan.noUpstream
    this.refusal = plan.refusal
    this.timeouts = plan.timeouts
    this.isWebsocketEnabled = plan.isWebsocketEnabled
    this.#instances = instances
  }

  chainFor(consumer: ConsumerEntry): ConsumerChain {
    this.#consumers ??= new ConsumerChains(this.#instances, this.chain)
    return this.#consumers.for(consumer)
  }
}

function refusalOf({ route, service, pluginConfig }: PlanParts): Reply | undefined {
  if (route.service_id !== undefined && !service) return SERVICE_GONE
  if (route.plugin_config_id !== undefined && !pluginConfig) return PLUGIN_CONFIG_GONE
  return undefined
}

/** The route's own wins over its service's; within one document the id wins over the inline form (contract §4.6). */
function destinationOf(parts: PlanParts): Pick<Plan, 'upstream' | 'noUpstream'> {
  const { route, compiled, service, findUpstream } = parts
  for (const owner of [
    { id: route.upstream_id, inline: compiled.upstream },
    { id: service?.document.upstream_id, inline: service?.compiled.upstream },
  ]) {
    if (owner.id !== undefined) return { upstream: findUpstream(String(owner.id)), noUpstream: UPSTREAM_GONE }
    if (owner.inline) return { upstream: owner.inline, noUpstream: NO_UPSTREAM }
  }
  return { upstream: undefined, noUpstream: NO_UPSTREAM }
}
