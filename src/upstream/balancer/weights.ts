import type { BalancerNode } from './balancer.ts'

/** The weights that count: as given, or all 1 when every node has 0, because then all of them rotate (contract §5.3). */
export function effectiveWeights(nodes: readonly BalancerNode[]): number[] {
  const areAllZero = nodes.every((node) => node.weight === 0)
  return nodes.map((node) => (areAllZero ? 1 : node.weight))
}

/** Divides by the greatest common divisor; zeros stay zero. */
export function reduceWeights(weights: readonly number[]): number[] {
  const divisor = weights.reduce(greatestCommonDivisor, 0)
  return divisor > 1 ? weights.map((weight) => weight / divisor) : [...weights]
}

function greatestCommonDivisor(a: number, b: number): number {
  let [larger, smaller] = [a, b]
  while (smaller !== 0) [larger, smaller] = [smaller, larger % smaller]
  return larger
}
