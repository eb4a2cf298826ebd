import type { Schema, SchemaNode } from './schema-node.ts'
import { isEmptyTable, isObject, memberFor, setOwn, toPattern } from './schema-value.ts'

type Explain = (schema: Schema, value: unknown) => string | undefined
type Table = Record<string, unknown>

/** The object keywords, in the order of contract §3.1. Members without a value get their default. */
export function explainObject(schema: SchemaNode, value: unknown, explain: Explain): string | undefined {
  if (!isObject(value) && !isEmptyTable(value)) return undefined
  const table = value as Table
  return (
    explainProperties(schema, table, explain) ??
    explainRequired(schema, table) ??
    explainDependencies(schema, table, explain) ??
    explainOthers(schema, table, explain) ??
    explainCount(schema, table)
  )
}

function explainProperties(schema: SchemaNode, table: Table, explain: Explain): string | undefined {
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const isPresent = Object.hasOwn(table, name) || fillDefault(property, table, name)
    if (!isPresent) {
      if (schema.required?.includes(name)) return `property "${name}" is required`
      continue
    }
    const message = explain(property, memberFor(property, table, name))
    if (message !== undefined) return `property "${name}" validation failed: ${message}`
    const missing = explainDependency(schema, name, { table, explain })
    if (missing !== undefined) return missing
  }
  return undefined
}

function fillDefault(property: Schema, table: Table, name: string): boolean {
  if (typeof property === 'boolean' || property.default === undefined) return false
  setOwn(table, name, structuredClone(property.default))
  return true
}

function explainRequired({ required = [] }: SchemaNode, table: Table): string | undefined {
  const missing = required.find((name) => !Object.hasOwn(table, name))
  return missing === undefined ? undefined : `property "${missing}" is required`
}

function explainDependencies(schema: SchemaNode, table: Table, explain: Explain): string | undefined {
  for (const name of Object.keys(schema.dependencies ?? {})) {
    const message = explainDependency(schema, name, { table, explain })
    if (message !== undefined) return message
  }
  return undefined
}

function explainDependency(
  { dependencies }: SchemaNode,
  name: string,
  { table, explain }: { table: Table; explain: Explain },
): string | undefined {
  if (dependencies === undefined || !Object.hasOwn(dependencies, name) || !Object.hasOwn(table, name))
    return undefined
  const dependency = dependencies[name]
  if (Array.isArray(dependency)) {
    const missing = dependency.find((other) => !Object.hasOwn(table, other))
    return missing === undefined ? undefined : `property "${missing}" is required when "${name}" is set`
  }
  const message = explain(dependency as Schema, table)
  return message === undefined ? undefined : `failed to validate dependent schema for "${name}": ${message}`
}

function explainOthers(schema: SchemaNode, table: Table, explain: Explain): string | undefined {
  const { patternProperties, additionalProperties } = schema
  if (patternProperties === undefined && (additionalProperties ?? true) === true) return undefined
  const patterns = Object.entries(patternProperties ?? {}).map(
    ([source, member]) => [source, toPattern(source), member] as const,
  )
  for (const key of Object.keys(table)) {
    let isKnown = schema.properties !== undefined && Object.hasOwn(schema.properties, key)
    for (const [source, pattern, member] of patterns) {
      if (!pattern.test(key)) continue
      isKnown = true
      const message = explain(member, memberFor(member, table, key))
      if (message !== undefined) return `failed to validate ${key} (matching "${source}"): ${message}`
    }
    const message = isKnown
      ? undefined
      : explainAdditional(additionalProperties ?? true, key, { table, explain })
    if (message !== undefined) return message
  }
  return undefined
}

function explainAdditional(
  schema: Schema,
  key: string,
  { table, explain }: { table: Table; explain: Explain },
): string | undefined {
  if (schema === false) return `additional properties forbidden, found ${key}`
  const message = explain(schema, memberFor(schema, table, key))
  return message === undefined ? undefined : `failed to validate additional property ${key}: ${message}`
}

function explainCount({ minProperties, maxProperties }: SchemaNode, table: Table): string | undefined {
  if (minProperties === undefined && maxProperties === undefined) return undefined
  const count = Object.keys(table).length
  if (minProperties !== undefined && count < minProperties) {
    return `expect object to have at least ${minProperties} properties`
  }
  if (maxProperties !== undefined && count > maxProperties) {
    return `expect object to have at most ${maxProperties} properties`
  }
  return undefined
}
