import type { Schema, SchemaNode } from './schema-node.ts'
import { isEmptyTable, isObject, memberFor } from './schema-value.ts'

type Explain = (schema: Schema, value: unknown) => string | undefined

/** The array keywords, in the order of contract §3.1; items are numbered from 1. */
export function explainArray(schema: SchemaNode, value: unknown, explain: Explain): string | undefined {
  const isWantedEmpty = schema.type === 'array' && isEmptyTable(value)
  if (!Array.isArray(value) && !isWantedEmpty) return undefined
  const items = Array.isArray(value) ? value : []
  return (
    explainCount(schema, items.length) ??
    explainItems(schema, items, explain) ??
    (schema.uniqueItems ? explainRepetition(items) : undefined)
  )
}

function explainCount({ minItems, maxItems }: SchemaNode, count: number): string | undefined {
  if (minItems !== undefined && count < minItems) return `expect array to have at least ${minItems} items`
  if (maxItems !== undefined && count > maxItems) return `expect array to have at most ${maxItems} items`
  return undefined
}

function explainItems(schema: SchemaNode, items: unknown[], explain: Explain): string | undefined {
  for (let index = 0; index < items.length; index++) {
    const item = schemaOfItem(schema, index)
    const message = explain(item, memberFor(item, items, index))
    if (message !== undefined) return `failed to validate item ${index + 1}: ${message}`
  }
  return undefined
}

function schemaOfItem({ items, additionalItems }: SchemaNode, index: number): Schema {
  if (Array.isArray(items)) return (items as readonly Schema[])[index] ?? additionalItems ?? true
  return (items as Schema | undefined) ?? true
}

function explainRepetition(items: readonly unknown[]): string | undefined {
  const seen = new Map<string, number>()
  for (const [index, item] of items.entries()) {
    const identity = identify(item)
    const earlier = seen.get(identity)
    if (earlier !== undefined)
      return `expected unique items but items ${earlier + 1} and ${index + 1} are equal`
    seen.set(identity, index)
  }
  return undefined
}

/** Equal for equal JSON values, whatever the order of keys. */
function identify(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(identify).join()}]`
  if (!isObject(value)) return JSON.stringify(value)
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${identify(value[key])}`)
  return `{${members.join()}}`
}
