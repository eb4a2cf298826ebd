import type { SchemaNode } from '../../../src/model/schema-node.ts'

type Document = Record<string, unknown>

const MAPS = ['properties', 'patternProperties']
const LISTS = ['allOf', 'anyOf', 'oneOf']
const SINGLE = ['not', 'if', 'then', 'else', 'contains', 'additionalProperties']
/** Spelled otherwise since draft 7. */
const RESPELLED = ['dependencies', 'items', 'additionalItems']

/**
 * A draft-7 schema as OpenAPI 3.1 reads it (JSON Schema 2020-12): `dependencies` are parted in two and lists of `items` become
 * `prefixItems`. What stands in `names`, by identity, becomes a reference to that component. The schema is not changed.
 */
export function toSchema2020(
  schema: unknown,
  names: ReadonlyMap<object, string> = new Map(),
  isRoot = true,
): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  const name = names.get(schema)
  if (name !== undefined && !isRoot) return reference(name)
  const convert = (child: unknown) => toSchema2020(child, names, false)
  const node = schema as SchemaNode
  const kept = Object.entries(schema).filter(([keyword]) => !RESPELLED.includes(keyword))
  const converted = kept.map(([keyword, value]) => [keyword, convertKeyword(keyword, value, convert)])
  return {
    ...Object.fromEntries(converted),
    ...respellItems(node, convert),
    ...respellDependencies(node, convert),
  }
}

/** Where a component schema stands. */
export function reference(name: string): { readonly $ref: string } {
  return { $ref: `#/components/schemas/${name}` }
}

type Convert = (child: unknown) => unknown

function convertKeyword(keyword: string, value: unknown, convert: Convert): unknown {
  if (MAPS.includes(keyword)) return mapValues(value as Document, convert)
  if (LISTS.includes(keyword)) return (value as unknown[]).map(convert)
  return SINGLE.includes(keyword) ? convert(value) : value
}

function respellItems({ items, additionalItems }: SchemaNode, convert: Convert): Document {
  if (items === undefined) return {}
  if (!Array.isArray(items)) return { items: convert(items) }
  return {
    prefixItems: items.map(convert),
    ...(additionalItems !== undefined && { items: convert(additionalItems) }),
  }
}

function respellDependencies({ dependencies }: SchemaNode, convert: Convert): Document {
  if (dependencies === undefined) return {}
  const all = Object.entries(dependencies)
  const required = all.filter(([, value]) => Array.isArray(value))
  const schemas = all.filter(([, value]) => !Array.isArray(value))
  return {
    ...(required.length > 0 && { dependentRequired: Object.fromEntries(required) }),
    ...(schemas.length > 0 && { dependentSchemas: mapValues(Object.fromEntries(schemas), convert) }),
  }
}

function mapValues(map: Document, convert: Convert): Document {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, convert(value)]))
}
