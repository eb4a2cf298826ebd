import { isIP, isIPv4, isIPv6 } from 'node:net'

function isCidr(text: string, family: 4 | 6): boolean {
  const slash = text.lastIndexOf('/')
  if (slash < 0) return false
  const bits = text.slice(slash + 1)
  return (
    isIP(text.slice(0, slash)) === family &&
    /^\d{1,3}$/.test(bits) &&
    Number(bits) <= (family === 4 ? 32 : 128)
  )
}

/** The `format`s that are checked; any other is ignored. */
export const FORMATS: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ['ipv4', isIPv4],
  ['ipv6', (text: string) => isIPv6(text) && !text.includes('%')],
  ['ipv4-cidr', (text: string) => isCidr(text, 4)],
  ['ipv6-cidr', (text: string) => isCidr(text, 6)],
])
