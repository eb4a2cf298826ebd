const DOT = 0x2e
const COLON = 0x3a
const PERCENT = 0x25
const GROUPS = 8

/**
 * The value of a dotted-decimal IPv4 address that starts at `from` and reaches the end of the text, or −1. Four octets of plain
 * decimal digits; a leading zero is refused, because some readers take it for octal. Allocates nothing.
 */
export function parseIpv4(text: string, from = 0): number {
  let value = 0
  let octet = 0
  let digits = 0
  let dots = 0
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === DOT) {
      if (digits === 0 || dots === 3) return -1
      value = value * 256 + octet
      octet = 0
      digits = 0
      dots++
      continue
    }
    const digit = code - 0x30
    if (digit < 0 || digit > 9 || (digits > 0 && octet === 0)) return -1
    octet = octet * 10 + digit
    digits++
    if (octet > 255) return -1
  }
  return digits === 0 || dots !== 3 ? -1 : value * 256 + octet
}

/**
 * Writes the eight 16-bit groups of an IPv6 address into `groups` and says whether the text was one. `::`, a trailing dotted
 * IPv4 part and a `%zone` (ignored) are understood. `groups` holds rubbish after a `false`. Allocates nothing.
 */
export function parseIpv6(text: string, groups: Uint16Array): boolean {
  const zone = text.indexOf('%')
  const end = zone === -1 ? text.length : zone
  let count = 0
  let gap = -1
  let at = 0
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return false
    gap = 0
    at = 2
  }
  while (at < end) {
    const stop = groupEnd(text, at, end)
    if (text.charCodeAt(stop) === DOT) {
      const ipv4 = zone === -1 ? parseIpv4(text, at) : -1
      if (ipv4 === -1 || count > GROUPS - 2) return false
      groups[count++] = Math.floor(ipv4 / 65536)
      groups[count++] = ipv4 % 65536
      break
    }
    const group = parseGroup(text, at, stop)
    if (group === -1 || count === GROUPS) return false
    groups[count++] = group
    if (stop === end) break
    at = stop + 1
    if (text.charCodeAt(at) === COLON) {
      if (gap !== -1) return false
      gap = count
      at++
    } else if (at === end) return false
  }
  return spread(groups, count, gap)
}

function groupEnd(text: string, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const code = text.charCodeAt(at)
    if (code === COLON || code === DOT || code === PERCENT) return at
  }
  return end
}

function parseGroup(text: string, from: number, to: number): number {
  if (to === from || to - from > 4) return -1
  let value = 0
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at)
    const letter = (code | 0x20) - 0x61
    const digit = code >= 0x30 && code <= 0x39 ? code - 0x30 : letter >= 0 && letter < 6 ? letter + 10 : -1
    if (digit === -1) return -1
    value = value * 16 + digit
  }
  return value
}

/** Moves what follows the `::` to the end and zeroes the gap; false when the number of groups does not fit. */
function spread(groups: Uint16Array, count: number, gap: number): boolean {
  if (gap === -1) return count === GROUPS
  if (count === GROUPS) return false
  const tail = count - gap
  groups.copyWithin(GROUPS - tail, gap, count)
  groups.fill(0, gap, GROUPS - tail)
  return true
}

/** The IPv4 value inside an IPv4-mapped IPv6 address (`::ffff:a.b.c.d`), or −1 when it is not one. */
export function mappedIpv4(groups: Uint16Array): number {
  for (let index = 0; index < 5; index++) if (groups[index] !== 0) return -1
  return groups[5] === 0xffff ? groups[6]! * 65536 + groups[7]! : -1
}
