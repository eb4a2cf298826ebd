import type { Schema } from './schema-node.ts'

/** A JSON object: neither an array nor null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `{}` or `[]`, which mean the same (contract §0 item 15). */
export function isEmptyTable(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0
}

/** A pattern as a search, with Unicode rules when they accept it: APISIX's patterns were written for PCRE. Throws a SyntaxError. */
export function toPattern(source: string): RegExp {
  try {
    return new RegExp(source, 'u')
  } catch {
    // Annex B syntax, such as an escaped "-" outside a class, is an error only under the "u" flag.
    return new RegExp(source)
  }
}

/** Sets an own property, also for names such as `__proto__` that a plain assignment would take for something else. */
export function setOwn(target: object, key: string | number, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true })
}

/**
 * The member to check against `schema`. An empty array where only an object is wanted becomes an object, and the other way round,
 * so that who reads the value later finds the kind of container the schema promises.
 */
export function memberFor(schema: Schema, holder: object, key: string | number): unknown {
  const value = (holder as Record<string | number, unknown>)[key]
  if (typeof schema === 'boolean' || !isEmptyTable(value)) return value
  const isWrongKind = schema.type === (Array.isArray(value) ? 'object' : 'array')
  if (!isWrongKind) return value
  const fitting = schema.type === 'object' ? {} : []
  setOwn(holder, key, fitting)
  return fitting
}
