import { TemplateError } from './template-error.ts'

/** What a template computes with: JSON values, `undefined` for nil, and {@link Callable}s. */
export type Value = unknown

/** A function that templates may call. */
export class Callable {
  readonly call: (args: readonly Value[]) => Value

  constructor(call: (args: readonly Value[]) => Value) {
    this.call = call
  }
}

/** An object whose fields are found when they are asked for. */
export class Lookup {
  readonly get: (key: string) => Value

  constructor(get: (key: string) => Value) {
    this.get = get
  }
}

/** What `ipairs` and `pairs` give to a loop. */
export class Pairs {
  readonly entries: readonly (readonly [key: Value, value: Value])[]

  constructor(entries: readonly (readonly [key: Value, value: Value])[]) {
    this.entries = entries
  }
}

/** Lua's truth: everything but nil and false. A null of JSON is a value there, as in APISIX. */
export function isTrue(value: Value): boolean {
  return value !== undefined && value !== false
}

/** As Lua prints it. Lists and objects have no text that anybody wants; they become JSON. */
export function textOf(value: Value): string {
  if (value === undefined) return ''
  if (value === null) return 'null'
  if (typeof value === 'object') return value instanceof Callable ? '' : JSON.stringify(value)
  return String(value)
}

/** Of an object its own field, of a list the element, counted from 1. Indexing what has no fields is an error, as in Lua. */
export function indexed(of: Value, key: Value): Value {
  if (of instanceof Lookup) return isKey(key) ? of.get(String(key)) : undefined
  if (Array.isArray(of)) return typeof key === 'number' ? of[key - 1] : undefined
  if (typeof of === 'object' && of !== null && !(of instanceof Callable)) {
    return isKey(key) && Object.hasOwn(of, key) ? (of as Record<string, Value>)[key] : undefined
  }
  throw new TemplateError(`attempt to index a ${typeName(of)} value`)
}

export function numberOf(value: Value, what = 'perform arithmetic on'): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number === 'number' && !Number.isNaN(number)) return number
  throw new TemplateError(`attempt to ${what} a ${typeName(value)} value`)
}

export function typeName(value: Value): string {
  if (value === undefined) return 'nil'
  if (value === null) return 'userdata'
  if (value instanceof Callable) return 'function'
  return typeof value === 'object' ? 'table' : typeof value
}

function isKey(key: Value): key is string | number {
  return typeof key === 'string' || typeof key === 'number'
}
