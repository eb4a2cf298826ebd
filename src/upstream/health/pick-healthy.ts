import type { BalancerNode, PickContext } from '../balancer/balancer.ts'
import { effectiveWeights } from '../balancer/weights.ts'
import type { UpstreamNode, UpstreamState } from '../upstream.ts'
import type { NodeHealth } from './node-health.ts'

/** What one request tells the balancer when health counts; implemented by the attempt loop, so that picking allocates nothing. */
export interface HealthPickContext extends PickContext<UpstreamNode> {
  /** Written by {@link pickHealthy} before each pick; {@link isLeftOut} compares it with a node's share. */
  draw: number
}

/** A draw that leaves nobody out. */
const EVERYONE = -1

/** The part of `isExcluded` that is about health; the same for one node throughout a pick. */
export function isLeftOut(health: NodeHealth | undefined, draw: number): boolean {
  return health !== undefined && health.share <= draw
}

/**
 * Picks among the healthy nodes. One on its way back takes part in that part of the picks which its share says, and in all of them
 * when nobody else is left. When no node is healthy all are used (contract §0.13).
 */
export function pickHealthy(state: UpstreamState, context: HealthPickContext): UpstreamNode | undefined {
  const { balancer, health, nodes } = state
  if (health === undefined) return balancer.pick(context)
  context.draw = health.draw()
  let node = balancer.pick(context)
  if (node === undefined && context.draw > 0) {
    context.draw = 0
    node = balancer.pick(context)
  }
  if (node !== undefined || isAnyHealthy(nodes)) return node
  health.panic()
  context.draw = EVERYONE
  return balancer.pick(context)
}

function isAnyHealthy(
  nodes: readonly (BalancerNode & { readonly health: NodeHealth | undefined })[],
): boolean {
  const weights = effectiveWeights(nodes)
  return nodes.some(({ health }, index) => weights[index]! > 0 && !isLeftOut(health, 0))
}
