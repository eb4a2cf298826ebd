const SHARDS = 256

/**
 * An immutable map from strings. A changed copy shares every shard that did not change, so that its cost depends on the shard and
 * not on the whole.
 */
export class ShardMap<V> {
  readonly #shards: readonly ReadonlyMap<string, V>[]

  private constructor(shards: readonly ReadonlyMap<string, V>[]) {
    this.#shards = shards
  }

  static empty<V>(): ShardMap<V> {
    const none: ReadonlyMap<string, V> = new Map()
    return new ShardMap(new Array<ReadonlyMap<string, V>>(SHARDS).fill(none))
  }

  get size(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.size, 0)
  }

  get(key: string): V | undefined {
    return this.#shards[shardOf(key)]!.get(key)
  }

  /** A map with these entries set, or removed where the value is `undefined`. */
  with(changes: Iterable<readonly [key: string, value: V | undefined]>): ShardMap<V> {
    const shards = [...this.#shards]
    const copied = new Map<number, Map<string, V>>()
    for (const [key, value] of changes) {
      const index = shardOf(key)
      let shard = copied.get(index)
      if (!shard) {
        shard = new Map(shards[index])
        copied.set(index, shard)
        shards[index] = shard
      }
      if (value === undefined) shard.delete(key)
      else shard.set(key, value)
    }
    return new ShardMap(shards)
  }

  *values(): Generator<V> {
    for (const shard of this.#shards) yield* shard.values()
  }
}

/** FNV-1a over code units, folded to a shard. */
function shardOf(key: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return (hash ^ (hash >>> 16)) & (SHARDS - 1)
}
