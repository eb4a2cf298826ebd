import type { BalancerFactory } from './balancer.ts'
import { chash, ketama } from './chash.ts'
import { roundrobin } from './roundrobin.ts'

const BALANCERS: ReadonlyMap<string, BalancerFactory> = new Map([
  ['chash', chash],
  ['ketama', ketama],
  ['roundrobin', roundrobin],
])

/** The balancer for an upstream's `type`, or `undefined` for a type that does not exist: the caller refuses the upstream (decisions 20). */
export function findBalancer(type: string): BalancerFactory | undefined {
  return BALANCERS.get(type)
}

/** Every `type` that {@link findBalancer} knows, in alphabetical order; for messages and for tests. */
export const BALANCER_TYPES: readonly string[] = [...BALANCERS.keys()]
