import type { Headers } from '../../src/plugin/api.ts'

type HeaderTable = Record<string, string | string[]>

interface NamedProperties {
  readonly properties?: object
  readonly required?: unknown
}

/**
 * Compiles how headers are shown to their schema: by lower-case names, or by those that it spells otherwise; one that stands twice is
 * a list.
 */
export function compileHeaderTable(schema: NamedProperties): (headers: Headers) => HeaderTable {
  const required = Array.isArray(schema.required) ? schema.required : []
  const spelt = new Map(
    [...Object.keys(schema.properties ?? {}), ...required].map((name) => [
      String(name).toLowerCase(),
      String(name),
    ]),
  )
  return (headers) => {
    const table: HeaderTable = Object.create(null)
    const raw = headers.raw()
    for (let i = 0; i < raw.length; i += 2) {
      const lowerName = raw[i]!.toLowerCase()
      const name = spelt.get(lowerName) ?? lowerName
      const known = table[name]
      const value = raw[i + 1]!
      if (known === undefined) table[name] = value
      else if (Array.isArray(known)) known.push(value)
      else table[name] = [known, value]
    }
    return table
  }
}
