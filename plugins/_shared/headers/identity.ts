import type { Headers } from '../../../src/plugin/api.ts'

const NO_WORD = /[^a-z0-9]/g

/** Takes the headers it was compiled for out of a request. */
export type ClearIdentity = (headers: Headers) => void

/**
 * For headers by which a plugin tells the upstream who the client is: what a client sends under such a name is not to arrive, and
 * neither is what reads alike to applications that take `_` and other marks for `-`, as CGI does.
 */
export function compileClearIdentity(names: readonly string[]): ClearIdentity {
  const meant = new Set(names.map(meaning))
  if (meant.size === 0) return () => {}
  return (headers) => {
    const raw = headers.raw()
    let found: string[] | undefined
    for (let i = 0; i < raw.length; i += 2) {
      if (!meant.has(meaning(raw[i]!))) continue
      found ??= []
      found.push(raw[i]!.toLowerCase())
    }
    for (const name of found ?? []) headers.remove(name)
  }
}

function meaning(name: string): string {
  return name.toLowerCase().replace(NO_WORD, '-')
}
