import { parseIpv6 } from '../../src/lib/ip-address.ts'

/** Wrong keys from one address in one window before the next ones are told to wait. */
const FREE_ATTEMPTS = 20
const WINDOW_MS = 60_000
/** Addresses that are remembered; the oldest window is forgotten first. */
const MAX_ADDRESSES = 10_000

interface Window {
  readonly startMs: number
  attempts: number
}

/** Counts wrong keys by address: one IPv4 address, or one /64 of IPv6, which is what a client can change its address within. */
export class WrongKeyThrottle {
  readonly #windows = new Map<string, Window>()
  readonly #clock: { now(): number }

  constructor(clock: { now(): number }) {
    this.#clock = clock
  }

  /** Counts one more; returns the seconds to wait when there were too many, 0 while there were not. */
  countWrongKey(address: string): number {
    const now = this.#clock.now()
    const name = clientOf(address)
    const known = this.#windows.get(name)
    const isOver = known === undefined || now - known.startMs >= WINDOW_MS || now < known.startMs
    const window = isOver ? this.#open(name, now) : known
    window.attempts++
    return window.attempts <= FREE_ATTEMPTS ? 0 : Math.ceil((window.startMs + WINDOW_MS - now) / 1000)
  }

  /** Deleted before it is set, so that the map stays in the order in which windows began. */
  #open(name: string, now: number): Window {
    this.#windows.delete(name)
    if (this.#windows.size >= MAX_ADDRESSES) this.#windows.delete(this.#windows.keys().next().value!)
    const window = { startMs: now, attempts: 0 }
    this.#windows.set(name, window)
    return window
  }
}

function clientOf(address: string): string {
  const groups = new Uint16Array(8)
  if (!address.includes(':') || !parseIpv6(address, groups)) return address
  // An IPv4 client of a socket that takes both families.
  if (address.startsWith('::ffff:')) return address.slice('::ffff:'.length)
  return groups.subarray(0, 4).join(':')
}
