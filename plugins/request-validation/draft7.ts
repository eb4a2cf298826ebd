/** Drafts whose schemas mean the same as those of draft 7, but for what {@link toDraft7} translates. */
const DRAFT = /^https?:\/\/json-schema\.org\/draft-0[467]\/schema#?$/
/** Keywords whose values are no schemas. */
const DATA = new Set(['enum', 'const', 'default', 'example', 'examples'])

/**
 * A copy of a schema of draft 4, 6 or 7 in the form of draft 7. Throws an Error for a `$schema` that is none of them.
 */
export function toDraft7(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(toDraft7)
  if (typeof schema !== 'object' || schema === null) return schema
  const node = schema as Record<string, unknown>
  const { $schema: draft } = node
  if (typeof draft === 'string' && !DRAFT.test(draft)) {
    throw new Error(`$schema ${JSON.stringify(draft)} is not known; use draft 4, 6 or 7`)
  }
  const entries = Object.entries(node).flatMap(([key, value]) => translate(key, value, node))
  return Object.fromEntries(entries)
}

type Entry = readonly [key: string, value: unknown]

function translate(key: string, value: unknown, node: Readonly<Record<string, unknown>>): Entry[] {
  if (key === '$schema' && typeof value === 'string') return []
  // In draft 4 a string is an address; under `properties` it would be an object.
  if (key === 'id' && typeof value === 'string') return []
  if (key === 'exclusiveMinimum' && typeof value === 'boolean') return value ? [[key, node['minimum']]] : []
  if (key === 'exclusiveMaximum' && typeof value === 'boolean') return value ? [[key, node['maximum']]] : []
  return [[key, DATA.has(key) ? value : toDraft7(value)]]
}

/** A text that two values share exactly when JSON schema calls them equal. */
export function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).map(([key, field]) => `${JSON.stringify(key)}:${canonicalText(field)}`)
  return `{${fields.sort().join(',')}}`
}
