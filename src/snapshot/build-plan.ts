import type { Route, Service } from '../model/types.ts'
import type { RouteView } from '../plugin/context/request-context.ts'
import type { Reply } from '../plugin/definition.ts'
import type { RouteEntry } from '../router/router.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { CompiledOwner, CompiledRoute, CompiledService } from './compile-kinds.ts'
import { ConsumerChains, chainOf, mergeRoute } from './merge.ts'
import type { Plan } from './plan.ts'

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
    hosts: hosts.map((host) => host.toLowerCase()),
    target: buildPlan(parts, hosts[0]),
  }
}

function buildPlan(parts: PlanParts, host: string | undefined): Plan {
  const { route, compiled, service, pluginConfig } = parts
  const instances = mergeRoute(compiled.instances, pluginConfig?.instances, service?.compiled.instances)
  const chain = chainOf(instances)
  const consumers = new ConsumerChains(instances, chain)
  return {
    route: viewOf(parts, host),
    chain,
    upstream: upstreamOf(parts),
    refusal: refusalOf(parts),
    timeouts: compiled.timeouts,
    isWebsocketEnabled: route.enable_websocket ?? service?.document.enable_websocket ?? false,
    chainFor: (consumer) => consumers.for(consumer),
  }
}

function refusalOf({ route, service, pluginConfig }: PlanParts): Reply | undefined {
  if (route.service_id !== undefined && !service) return SERVICE_GONE
  if (route.plugin_config_id !== undefined && !pluginConfig) return PLUGIN_CONFIG_GONE
  return undefined
}

/** The route's own wins over its service's; within one document the id wins over the inline form (contract §4.6). */
function upstreamOf({ route, compiled, service, findUpstream }: PlanParts): Upstream | Reply {
  for (const owner of [
    { id: route.upstream_id, inline: compiled.upstream },
    { id: service?.document.upstream_id, inline: service?.compiled.upstream },
  ]) {
    if (owner.id !== undefined) return findUpstream(String(owner.id)) ?? UPSTREAM_GONE
    if (owner.inline) return owner.inline
  }
  return NO_UPSTREAM
}

function viewOf({ id, route, service }: PlanParts, host: string | undefined): RouteView {
  return {
    id,
    name: route.name,
    serviceId: service?.id,
    serviceName: service?.document.name,
    uri: route.uri ?? route.uris![0]!,
    host,
  }
}
