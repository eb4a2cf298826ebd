import { createHash } from 'node:crypto'

/** A Lua script with one key. Scripts are what makes several steps one: redis runs nothing else meanwhile. */
export interface RedisScript {
  readonly source: string
  /** What redis knows it by once it has seen it. */
  readonly sha: string
}

export function defineScript(source: string): RedisScript {
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}
