import { mappedIpv4, parseIpv4, parseIpv6 } from './ip-address.ts'

/** A value that is neither an IP address nor a CIDR block. The message is APISIX's (contract §4.4). */
export class IpAddressError extends Error {
  readonly value: unknown
  constructor(value: unknown) {
    super(`invalid ip address: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    this.name = 'IpAddressError'
    this.value = value
  }
}

/** A fixed set of addresses. An IPv4-mapped IPv6 address is the IPv4 address it carries, on both sides. */
export interface IpSet {
  /** False for what is not an IP address. Allocates nothing. */
  has(ip: string): boolean
}

interface Block {
  readonly isIpv4: boolean
  readonly start: bigint
  readonly end: bigint
}

/** Compiles IPv4 and IPv6 addresses and CIDR blocks; host bits after the prefix are ignored. Throws `IpAddressError`. */
export function createIpSet(values: Iterable<string>): IpSet {
  const blocks = [...values].map(parseBlock)
  const ipv4 = outermost(blocks.filter((block) => block.isIpv4))
  const ipv6 = outermost(blocks.filter((block) => !block.isIpv4))
  return new RangeSet(ipv4, ipv6)
}

function parseBlock(value: string): Block {
  if (typeof value !== 'string') throw new IpAddressError(value)
  const slash = value.indexOf('/')
  const address = slash === -1 ? value : value.slice(0, slash)
  const prefixText = slash === -1 ? undefined : value.slice(slash + 1)
  if (prefixText !== undefined && !/^\d{1,3}$/.test(prefixText)) throw new IpAddressError(value)
  const groups = new Uint16Array(8)
  let ipv4 = parseIpv4(address)
  let width = ipv4 === -1 ? 128 : 32
  if (ipv4 === -1 && (address.includes('%') || !parseIpv6(address, groups))) throw new IpAddressError(value)
  let prefix = prefixText === undefined ? width : Number(prefixText)
  if (prefix > width) throw new IpAddressError(value)
  if (ipv4 === -1 && prefix >= 96) {
    ipv4 = mappedIpv4(groups)
    if (ipv4 !== -1) {
      width = 32
      prefix -= 96
    }
  }
  const base = ipv4 === -1 ? groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n) : BigInt(ipv4)
  const hostBits = BigInt(width - prefix)
  const start = (base >> hostBits) << hostBits
  return { isIpv4: ipv4 !== -1, start, end: start + (1n << hostBits) - 1n }
}

/** Sorted by start, without blocks that lie in another: two CIDR blocks are nested or disjoint, never overlapping. */
function outermost(blocks: Block[]): Block[] {
  const sorted = blocks.toSorted((a, b) =>
    a.start < b.start ? -1 : a.start > b.start ? 1 : a.end > b.end ? -1 : 1,
  )
  const kept: Block[] = []
  for (const block of sorted) {
    const last = kept.at(-1)
    if (last === undefined || block.start > last.end) kept.push(block)
  }
  return kept
}

function toGroups(blocks: readonly Block[], bound: 'start' | 'end'): Uint16Array {
  const words = new Uint16Array(blocks.length * 8)
  blocks.forEach((block, index) => {
    for (let group = 0; group < 8; group++) {
      words[index * 8 + group] = Number((block[bound] >> BigInt(16 * (7 - group))) & 0xffffn)
    }
  })
  return words
}

class RangeSet implements IpSet {
  readonly #starts: Float64Array
  readonly #ends: Float64Array
  readonly #starts6: Uint16Array
  readonly #ends6: Uint16Array
  /** Owned scratch, so that a look-up allocates nothing. */
  readonly #groups = new Uint16Array(8)

  constructor(ipv4: readonly Block[], ipv6: readonly Block[]) {
    this.#starts = Float64Array.from(ipv4, (block) => Number(block.start))
    this.#ends = Float64Array.from(ipv4, (block) => Number(block.end))
    this.#starts6 = toGroups(ipv6, 'start')
    this.#ends6 = toGroups(ipv6, 'end')
  }

  has(ip: string): boolean {
    const ipv4 = parseIpv4(ip)
    if (ipv4 !== -1) return this.#hasIpv4(ipv4)
    if (!parseIpv6(ip, this.#groups)) return false
    const mapped = mappedIpv4(this.#groups)
    return mapped === -1 ? this.#hasIpv6() : this.#hasIpv4(mapped)
  }

  #hasIpv4(ip: number): boolean {
    let low = 0
    let high = this.#starts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#starts[middle]! <= ip) low = middle + 1
      else high = middle
    }
    return low > 0 && ip <= this.#ends[low - 1]!
  }

  #hasIpv6(): boolean {
    let low = 0
    let high = this.#starts6.length / 8
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(this.#starts6, middle) >= 0) low = middle + 1
      else high = middle
    }
    return low > 0 && this.#compare(this.#ends6, low - 1) <= 0
  }

  /** Negative when the address in the scratch lies before the bound, 0 on it, positive after it. */
  #compare(bounds: Uint16Array, index: number): number {
    for (let group = 0; group < 8; group++) {
      const difference = this.#groups[group]! - bounds[index * 8 + group]!
      if (difference !== 0) return difference
    }
    return 0
  }
}
