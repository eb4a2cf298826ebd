import { CRC32_START, crc32, crc32Byte, crc32Finish, crc32Text } from '../../lib/crc32.ts'
import type { BalancerNode } from './balancer.ts'

/** Points per unit of weight (contract §5.3; the number of nginx, lua-resty-balancer and Pingora). */
const POINTS_PER_WEIGHT = 160

/** Above this, every node's points are scaled down alike: a weight is text from a user and must not decide our memory. */
const MAX_POINTS = 2 ** 20

/** Sorting packs hash and owner into one double: 32 bits of hash leave 21 bits for the owner. */
const MAX_NODES = 2 ** 21

/** How a node enters the ring: the text it hashes under and its number of weight units (0 gives it no points). */
export interface RingMember {
  readonly id: string
  readonly weight: number
}

/** Points in ascending order of hash, as parallel arrays: `owners[i]` is the index of the member at `hashes[i]`. */
export interface Ring {
  readonly hashes: Uint32Array
  readonly owners: Uint32Array
}

/** The id of `chash`: every colon becomes NUL, as lua-resty-balancer's caller in APISIX does (contract §5.3). */
export function chashId(node: BalancerNode): string {
  return node.address.replaceAll(':', '\0')
}

/** The id of `ketama`: host, NUL, port, as in nginx. Differs from {@link chashId} in IPv6 addresses only, whose own colons stay. */
export function ketamaId(node: BalancerNode): string {
  return node.address.replace(/:(\d+)$/, '\0$1')
}

/**
 * Builds the ketama ring (contract §5.3, systems.md §3.2.4): point i of a member is the checksum of its id followed by point
 * i − 1 in little endian, the first following 0. At most 2^20 points in all; beyond that members keep their proportions and at
 * least one point each. Throws a RangeError above 2^21 members.
 */
export function buildRing(members: readonly RingMember[]): Ring {
  if (members.length > MAX_NODES) {
    throw new RangeError(`a hash ring takes at most ${MAX_NODES} nodes, got ${members.length}`)
  }
  const counts = pointCounts(members)
  const packed = new Float64Array(counts.reduce((sum, count) => sum + count, 0))
  let at = 0
  members.forEach((member, owner) => {
    at = addPoints(packed, { at, owner, id: member.id, count: counts[owner]! })
  })
  // A typed array sorts by number without a comparator; the owner in the low bits settles equal hashes by order of nodes.
  packed.sort()
  return unpack(packed)
}

/** Index of the first point at or after the key's hash, wrapping to 0. The ring must not be empty. */
export function locate(ring: Ring, key: string): number {
  const hash = crc32(key)
  let low = 0
  let high = ring.hashes.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ring.hashes[middle]! < hash) low = middle + 1
    else high = middle
  }
  return low === ring.hashes.length ? 0 : low
}

function pointCounts(members: readonly RingMember[]): number[] {
  const counts = members.map((member) => member.weight * POINTS_PER_WEIGHT)
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total <= MAX_POINTS) return counts
  return counts.map((count) => (count === 0 ? 0 : Math.max(1, Math.floor((count / total) * MAX_POINTS))))
}

interface Placement {
  readonly at: number
  readonly owner: number
  readonly id: string
  readonly count: number
}

function addPoints(packed: Float64Array, placement: Placement): number {
  const base = crc32Text(CRC32_START, placement.id)
  const end = placement.at + placement.count
  let point = 0
  for (let at = placement.at; at < end; at++) {
    point = nextPoint(base, point)
    packed[at] = point * MAX_NODES + placement.owner
  }
  return end
}

function nextPoint(base: number, previous: number): number {
  let register = crc32Byte(base, previous)
  register = crc32Byte(register, previous >>> 8)
  register = crc32Byte(register, previous >>> 16)
  return crc32Finish(crc32Byte(register, previous >>> 24))
}

function unpack(packed: Float64Array): Ring {
  const hashes = new Uint32Array(packed.length)
  const owners = new Uint32Array(packed.length)
  for (let i = 0; i < packed.length; i++) {
    const value = packed[i]!
    const hash = Math.floor(value / MAX_NODES)
    hashes[i] = hash
    owners[i] = value - hash * MAX_NODES
  }
  return { hashes, owners }
}
