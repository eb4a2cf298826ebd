import { isIP, SocketAddress } from 'node:net'

/** An address that a header or variable names. */
export interface NamedAddress {
  /** In canonical form: what is the same address is the same text. */
  readonly ip: string
  readonly port: number | undefined
}

const BRACKETED = /^\[([^\]]+)\](?::(\d+))?$/
const WITH_PORT = /^([\d.]+):(\d+)$/
const MAX_PORT = 65_535

/** Reads `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]` and `[::1]:80`; `undefined` for anything else. */
export function parseAddress(text: string): NamedAddress | undefined {
  const match = BRACKETED.exec(text) ?? WITH_PORT.exec(text)
  const ip = canonical(match ? match[1]! : text)
  if (ip === undefined) return undefined
  if (match?.[2] === undefined) return { ip, port: undefined }
  const port = Number(match[2])
  return port >= 1 && port <= MAX_PORT ? { ip, port } : undefined
}

function canonical(text: string): string | undefined {
  const family = isIP(text)
  if (family === 4) return text
  if (family !== 6 || text.includes('%')) return undefined
  const { address } = new SocketAddress({ address: text, family: 'ipv6' })
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address
}
