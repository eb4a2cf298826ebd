/** Headers that belong to one connection or frame one message (RFC 9110 §7.6.1): they are never copied from one message to another. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade', 'http2-settings'],
  ...['content-length', 'transfer-encoding', 'expect'],
])

export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name.toLowerCase())
}
