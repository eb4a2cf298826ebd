import type { Headers } from '../../src/plugin/api.ts'

/** Framing, what is between two neighbours, and what the gateway says anew with every answer. */
const NOT_STORED: ReadonlySet<string> = new Set([
  ...[
    'connection',
    'keep-alive',
    'proxy-authenticate',
    'proxy-authentication-info',
    'proxy-connection',
    'te',
  ],
  ...['trailer', 'transfer-encoding', 'upgrade', 'content-length'],
  ...['age', 'server', 'apisix-cache-status', 'x-apisix-upstream-status'],
])

/** The headers of a response that are kept with it, flat. */
export function storedHeaders(headers: Headers): string[] {
  const raw = headers.raw()
  const kept: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    if (!NOT_STORED.has(raw[i]!.toLowerCase())) kept.push(raw[i]!, raw[i + 1]!)
  }
  return kept
}

/** A flat list in the form that answers have theirs: every name once, with all its values. */
export function replyHeaders(flat: readonly string[]): Record<string, string[]> {
  const spelt = new Map<string, string>()
  const headers: Record<string, string[]> = Object.create(null)
  for (let i = 0; i < flat.length; i += 2) {
    const lower = flat[i]!.toLowerCase()
    const name = spelt.get(lower) ?? flat[i]!
    spelt.set(lower, name)
    headers[name] = [...(headers[name] ?? []), flat[i + 1]!]
  }
  return headers
}
