import { isIP } from 'node:net'
import type { ConnectionFacts } from './connection-facts.ts'

/** How the client's address is found behind a proxy (`nginx_config.http`, contract §9). */
export interface RealIpRule {
  /** Lower-case name of the header. */
  readonly header: string
  /** With `X-Forwarded-For`: skip addresses that are themselves believed, from the right. */
  readonly isRecursive: boolean
  isBelieved(address: string): boolean
}

/** The address to call the client's: the peer's own, unless the peer is believed and names another. */
export function clientAddress(
  connection: ConnectionFacts,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  rule: RealIpRule,
): string {
  if (!connection.isRealIpSource) return connection.peerAddr
  const value = headers[rule.header]
  if (value === undefined) return connection.peerAddr
  const named = (Array.isArray(value) ? value.join(',') : value)
    .split(',')
    .map((part) => withoutPort(part.trim()))
  if (!rule.isRecursive) return validOr(named.at(-1)!, connection.peerAddr)
  const outside = named.findLast((address) => !rule.isBelieved(address))
  return validOr(outside ?? named[0]!, connection.peerAddr)
}

function validOr(address: string, fallback: string): string {
  return isIP(address) === 0 ? fallback : address
}

/** `1.2.3.4:80` and `[::1]:80` carry a port. */
function withoutPort(text: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(text)
  if (bracketed) return bracketed[1]!
  return /^[\d.]+:\d+$/.test(text) ? text.slice(0, text.indexOf(':')) : text
}
