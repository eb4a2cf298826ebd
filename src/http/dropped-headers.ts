/** What only a trusted peer may say about the client (contract §0.19, §5.1). */
const FORWARDED: ReadonlySet<string> = new Set([
  'forwarded',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
])
const LENGTHS: ReadonlySet<number> = new Set([...FORWARDED].map((name) => name.length))
/** Options of `Connection` that nominate no header, in the spellings that nearly every client uses. */
const COMMON_OPTIONS: ReadonlySet<string> = new Set(['keep-alive', 'Keep-Alive', 'close'])

/** Takes what an untrusted peer says about its client out of a flat list, in place. */
export function dropForwarded(raw: string[]): void {
  drop(raw, (name) => LENGTHS.has(name.length) && FORWARDED.has(name.toLowerCase()))
}

/**
 * Takes the headers that `Connection` nominates out of a flat list, in place: they are meant for this hop (RFC 9110 §7.6.1). Before
 * any plugin runs, so that a client can strip neither what the gateway adds nor what a plugin has decided on.
 */
export function dropNominated(raw: string[], connection: string | undefined): void {
  if (connection === undefined || COMMON_OPTIONS.has(connection)) return
  const nominated = new Set(connection.split(',').map((option) => option.trim().toLowerCase()))
  // Never forwarded as it came, and routes are told apart by it (`http_upgrade`).
  nominated.delete('upgrade')
  drop(raw, (name) => nominated.has(name.toLowerCase()))
}

function drop(raw: string[], isDropped: (name: string) => boolean): void {
  let kept = 0
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    if (isDropped(name)) continue
    if (kept !== i) {
      raw[kept] = name
      raw[kept + 1] = raw[i + 1]!
    }
    kept += 2
  }
  raw.length = kept
}
