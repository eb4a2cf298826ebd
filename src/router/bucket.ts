import { compareLeaves, Leaf } from './leaf.ts'

/** The leaves of one key in the order they are tried. Most keys have one; it stands for itself, which saves the array. */
export type Bucket<T> = Leaf<T> | Leaf<T>[]

/** The bucket with the leaf in its place; an array is changed where it is. */
export function addLeaf<T>(bucket: Bucket<T> | undefined, leaf: Leaf<T>): Bucket<T> {
  if (bucket === undefined) return leaf
  if (bucket instanceof Leaf) return compareLeaves(leaf, bucket) < 0 ? [leaf, bucket] : [bucket, leaf]
  bucket.splice(lowerBound(bucket, leaf), 0, leaf)
  return bucket
}

/** The bucket without the leaf, `undefined` when that was the last; unchanged when it is not in there. */
export function removeLeaf<T>(bucket: Bucket<T> | undefined, leaf: Leaf<T>): Bucket<T> | undefined {
  if (bucket === undefined || bucket === leaf) return undefined
  if (bucket instanceof Leaf) return bucket
  // While a route is replaced, its old and new leaf may compare equal.
  const at = bucket.indexOf(leaf, lowerBound(bucket, leaf))
  if (at !== -1) bucket.splice(at, 1)
  return bucket.length === 1 ? bucket[0] : bucket
}

/** The first place that does not come before the leaf. */
function lowerBound<T>(leaves: readonly Leaf<T>[], leaf: Leaf<T>): number {
  let low = 0
  let high = leaves.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareLeaves(leaves[middle]!, leaf) < 0) low = middle + 1
    else high = middle
  }
  return low
}
