import type { BalancerFactory } from './balancer.ts'
import { chash, ketama } from './chash.ts'
import { ewma } from './ewma.ts'
import { leastConn } from './least-conn.ts'
import { byPriority } from './priority.ts'
import { randomly } from './random.ts'
import { roundrobin } from './roundrobin.ts'

const BALANCERS: ReadonlyMap<string, BalancerFactory> = new Map([
  ['chash', byPriority(chash)],
  ['ewma', byPriority(ewma)],
  ['ketama', byPriority(ketama)],
  ['least_conn', byPriority(leastConn)],
  ['random', byPriority(randomly)],
  ['roundrobin', byPriority(roundrobin)],
  // The same picker; what is dynamic are the weights that the registry tells (systems.md §7.5).
  ['wrr_dynamic', byPriority(roundrobin)],
])

/**
 * The balancer for an upstream's `type`, with the levels of `priority` over it; `undefined` for a type that does not exist: the
 * caller refuses the upstream (decisions 20).
 */
export function findBalancer(type: string): BalancerFactory | undefined {
  return BALANCERS.get(type)
}

/** Every `type` that {@link findBalancer} knows, in alphabetical order; for messages and for tests. */
export const BALANCER_TYPES: readonly string[] = [...BALANCERS.keys()]
