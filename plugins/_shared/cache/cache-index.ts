import { createHash } from 'node:crypto'
import type { Address } from './cache-store.ts'

/** Answers to one key that differ by partition or by the headers they vary by. Beyond it the oldest one goes. */
const MAX_VARIANTS = 64
/** What an entry costs beside its payload: maps, strings, objects. */
const ENTRY_BYTES = 512

export interface IndexLimits {
  readonly maxBytes: number
  readonly maxEntries: number
}

/** One entry of the index. */
export interface Slot<Payload> {
  readonly group: string
  readonly variant: string
  readonly payload: Payload
  readonly bytes: number
}

interface Group<Payload> {
  vary: readonly string[]
  readonly variants: Map<string, Slot<Payload>>
}

/**
 * Finds answers by key, partition and varying headers, and bounds their number and bytes: the least recently used one goes first.
 * Keys, partitions and headers are hashed, so that no client decides how long a name is or what stands in it.
 */
export class CacheIndex<Payload> {
  readonly #limits: IndexLimits
  readonly #onDropped: (payload: Payload) => void
  readonly #groups = new Map<string, Group<Payload>>()
  /** Least recently used first. */
  readonly #slots = new Set<Slot<Payload>>()
  #bytes = 0

  /** `onDropped` is told of every payload that is let go, for whatever reason. */
  constructor(limits: IndexLimits, onDropped: (payload: Payload) => void = () => {}) {
    this.#limits = limits
    this.#onDropped = onDropped
  }

  get size(): number {
    return this.#slots.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Whether an entry of that size can be kept at all. */
  hasRoomFor(bytes: number): boolean {
    return bytes + ENTRY_BYTES <= this.#limits.maxBytes
  }

  find(address: Address): Slot<Payload> | undefined {
    const group = this.#groups.get(digest(address.key))
    const slot = group?.variants.get(variantOf(address, group.vary))
    if (!slot) return undefined
    this.#slots.delete(slot)
    this.#slots.add(slot)
    return slot
  }

  variantOf(address: Address): string {
    const group = digest(address.key)
    return `${group}.${variantOf(address, this.#groups.get(group)?.vary ?? [])}`
  }

  /** Where an answer that varies by these headers will stand. */
  place(address: Address, vary: readonly string[]): { readonly group: string; readonly variant: string } {
    return { group: digest(address.key), variant: variantOf(address, vary) }
  }

  has({ group, variant }: { readonly group: string; readonly variant: string }): boolean {
    return this.#groups.get(group)?.variants.has(variant) ?? false
  }

  /** Adds an entry, replacing the one at its place. Answers that vary by other headers than it does go: they can no longer be told apart. */
  add(entry: Slot<Payload>, vary: readonly string[]): void {
    const slot = { ...entry, bytes: entry.bytes + ENTRY_BYTES }
    const group = this.#groupFor(slot.group, vary)
    const before = group.variants.get(slot.variant)
    if (before) this.#forget(before)
    else if (group.variants.size >= MAX_VARIANTS) this.#forget(group.variants.values().next().value!)
    // Forgetting the last one took the group with it.
    this.#groups.set(slot.group, group)
    group.variants.set(slot.variant, slot)
    this.#slots.add(slot)
    this.#bytes += slot.bytes
    this.#shrink()
  }

  /** Forgets an entry, unless another has taken its place. */
  drop(slot: Slot<Payload>): void {
    if (this.#slots.has(slot)) this.#forget(slot)
  }

  /** Forgets all below the key; says how many there were. */
  remove(key: string): number {
    const group = this.#groups.get(digest(key))
    if (!group) return 0
    const slots = [...group.variants.values()]
    for (const slot of slots) this.#forget(slot)
    return slots.length
  }

  /** Forgets all without a word to anybody. */
  clear(): void {
    this.#groups.clear()
    this.#slots.clear()
    this.#bytes = 0
  }

  #groupFor(id: string, vary: readonly string[]): Group<Payload> {
    const group = this.#groups.get(id)
    if (!group) return { vary, variants: new Map() }
    if (group.vary.join() === vary.join()) return group
    for (const slot of [...group.variants.values()]) this.#forget(slot)
    return { vary, variants: new Map() }
  }

  #shrink(): void {
    for (const slot of this.#slots) {
      if (this.#bytes <= this.#limits.maxBytes && this.#slots.size <= this.#limits.maxEntries) return
      this.#forget(slot)
    }
  }

  #forget(slot: Slot<Payload>): void {
    this.#slots.delete(slot)
    this.#bytes -= slot.bytes
    const group = this.#groups.get(slot.group)
    group?.variants.delete(slot.variant)
    if (group?.variants.size === 0) this.#groups.delete(slot.group)
    this.#onDropped(slot.payload)
  }
}

/** Equal for requests that differ in nothing the answer depends on. */
function variantOf(address: Address, vary: readonly string[]): string {
  return digest(JSON.stringify([address.partition, ...vary.map((name) => address.header(name) ?? null)]))
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
