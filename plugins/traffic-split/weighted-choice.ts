interface Share<Target> {
  readonly target: Target
  readonly weight: number
  credit: number
}

/**
 * Chooses one target after the other, each as often as its weight says, and spread as evenly as that allows: smooth weighted round
 * robin, from the same start each time. `undefined` when no target has a weight.
 */
export function weightedChoice<Target>(
  weighted: readonly { readonly target: Target; readonly weight: number }[],
): (() => Target) | undefined {
  const shares: Share<Target>[] = weighted
    .filter(({ weight }) => weight > 0)
    .map(({ target, weight }) => ({ target, weight, credit: 0 }))
  const [first] = shares
  if (!first) return undefined
  if (shares.length === 1) return () => first.target
  const total = shares.reduce((sum, { weight }) => sum + weight, 0)
  return () => {
    let richest = first
    for (const share of shares) {
      share.credit += share.weight
      if (share.credit > richest.credit) richest = share
    }
    richest.credit -= total
    return richest.target
  }
}
