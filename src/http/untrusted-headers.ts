/** What only a trusted peer may say about the client (contract §0.19, §5.1). */
const FORWARDED: ReadonlySet<string> = new Set([
  'forwarded',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
])
const LENGTHS: ReadonlySet<number> = new Set([...FORWARDED].map((name) => name.length))

/** Takes those headers out of a flat list, in place. */
export function dropForwarded(raw: string[]): void {
  let kept = 0
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    if (LENGTHS.has(name.length) && FORWARDED.has(name.toLowerCase())) continue
    if (kept !== i) {
      raw[kept] = name
      raw[kept + 1] = raw[i + 1]!
    }
    kept += 2
  }
  raw.length = kept
}
