import { isDeepStrictEqual } from 'node:util'
import { explainArray } from './explain-array.ts'
import { explainObject } from './explain-object.ts'
import { FORMATS } from './formats.ts'
import { luaNumberText, luaTypeName } from './lua-text.ts'
import { isSecretReference } from './reference.ts'
import { hasDefaults, type Schema, type SchemaNode } from './schema-node.ts'
import { isEmptyTable, isObject, toPattern } from './schema-value.ts'

type Check = (schema: SchemaNode, value: unknown) => string | undefined

/** Why a value does not fit the schema, in the grammar and order of contract §3.1; `undefined` when it fits. Fills in defaults. */
export function explain(schema: Schema, value: unknown): string | undefined {
  if (typeof schema === 'boolean') return schema ? undefined : 'no value is allowed here'
  if (isSecretReference(value) && acceptsString(schema)) return undefined
  for (const check of CHECKS) {
    const message = check(schema, value)
    if (message !== undefined) return message
  }
  return undefined
}

/** Tries a schema without leaving traces of a failed try in the value. */
function fits(schema: Schema, value: unknown): boolean {
  return explain(schema, hasDefaults(schema) ? structuredClone(value) : value) === undefined
}

/** Fills in the defaults of a branch that fits. */
function adopt(schema: Schema, value: unknown): void {
  if (hasDefaults(schema)) explain(schema, value)
}

function acceptsString({ type }: SchemaNode): boolean {
  return type === undefined || type === 'string' || (Array.isArray(type) && type.includes('string'))
}

const TYPE_TESTS: Readonly<Record<string, (value: unknown) => boolean>> = {
  null: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: Number.isInteger,
  object: (value) => isObject(value) || isEmptyTable(value),
  array: (value) => Array.isArray(value) || isEmptyTable(value),
}

const checkType: Check = ({ type }, value) => {
  if (type === undefined) return undefined
  const types = typeof type === 'string' ? [type] : type
  if (types.some((name) => TYPE_TESTS[name]?.(value))) return undefined
  const expected = typeof type === 'string' ? type : `one of ${types.join(', ')}`
  return `wrong type: expected ${expected}, got ${luaTypeName(value)}`
}

const checkString: Check = ({ minLength, maxLength, pattern }, value) => {
  if (typeof value !== 'string') return undefined
  if (minLength !== undefined || maxLength !== undefined) {
    const length = [...value].length
    if (minLength !== undefined && length < minLength) {
      return `string too short, expected at least ${minLength}, got ${length}`
    }
    if (maxLength !== undefined && length > maxLength) {
      return `string too long, expected at most ${maxLength}, got ${length}`
    }
  }
  if (pattern !== undefined && !toPattern(pattern).test(value)) {
    return `failed to match pattern "${pattern}" with "${value}"`
  }
  return undefined
}

const checkNumber: Check = (schema, value) => {
  if (typeof value !== 'number') return undefined
  const bounds: [number | undefined, (limit: number) => boolean, string][] = [
    [schema.minimum, (limit) => value >= limit, 'at least'],
    [schema.exclusiveMinimum, (limit) => value > limit, 'greater than'],
    [schema.maximum, (limit) => value <= limit, 'at most'],
    [schema.exclusiveMaximum, (limit) => value < limit, 'smaller than'],
    [schema.multipleOf, (limit) => Number.isInteger(value / limit), 'a multiple of'],
  ]
  for (const [limit, holds, words] of bounds) {
    if (limit !== undefined && !holds(limit)) {
      return `expected ${luaNumberText(value)} to be ${words} ${luaNumberText(limit)}`
    }
  }
  return undefined
}

const checkEnum: Check = (schema, value) => {
  if (schema.enum === undefined || schema.enum.some((one) => isDeepStrictEqual(one, value))) return undefined
  return 'matches none of the enum values'
}

const checkAllOf: Check = ({ allOf = [] }, value) => {
  for (const [index, branch] of allOf.entries()) {
    const message = explain(branch, value)
    if (message !== undefined) return `allOf ${index + 1} failed: ${message}`
  }
  return undefined
}

const checkAnyOf: Check = ({ anyOf }, value) => {
  if (anyOf === undefined) return undefined
  const branch = anyOf.find((one) => fits(one, value))
  if (branch === undefined) return noneOfTheRequired(anyOf)
  adopt(branch, value)
  return undefined
}

function noneOfTheRequired(branches: readonly Schema[]): string {
  const required = branches
    .map((branch) => (typeof branch === 'boolean' ? undefined : branch.required))
    .filter((names) => names !== undefined)
    .map((names) => JSON.stringify(names))
  const list = required.length > 0 ? `: ${required.join(' or ')}` : ''
  return `object matches none of the required${list}`
}

const checkOneOf: Check = ({ oneOf }, value) => {
  if (oneOf === undefined) return undefined
  const first = oneOf.findIndex((branch) => fits(branch, value))
  const branch = oneOf[first]
  if (branch === undefined) return 'value should match only one schema, but matches none'
  const second = oneOf.findIndex((other, index) => index > first && fits(other, value))
  if (second >= 0) {
    return `value should match only one schema, but matches both schemas ${first + 1} and ${second + 1}`
  }
  adopt(branch, value)
  return undefined
}

const checkIf: Check = (schema, value) => {
  if (schema.if === undefined) return undefined
  const word = fits(schema.if, value) ? 'then' : 'else'
  const clause = schema[word]
  if (clause === undefined || explain(clause, value) === undefined) return undefined
  return `${word} clause did not match`
}

const checkNot: Check = ({ not }, value) =>
  not !== undefined && fits(not, value) ? "value wasn't supposed to match schema" : undefined

const checkFormat: Check = ({ format }, value) => {
  if (format === undefined || typeof value !== 'string') return undefined
  if (FORMATS.get(format)?.(value) ?? true) return undefined
  return `expect valid ${format} format but got: ${value}`
}

const checkConst: Check = (schema, value) => {
  if (!Object.hasOwn(schema, 'const') || isDeepStrictEqual(schema.const, value)) return undefined
  return `expected the value ${JSON.stringify(schema.const)}`
}

const checkContains: Check = ({ contains }, value) => {
  if (contains === undefined || !Array.isArray(value)) return undefined
  return value.some((item) => fits(contains, item))
    ? undefined
    : 'no item matches what the array has to contain'
}

/** In the order of contract §3.1. */
const CHECKS: readonly Check[] = [
  checkType,
  (schema, value) => explainObject(schema, value, explain),
  (schema, value) => explainArray(schema, value, explain),
  checkString,
  checkNumber,
  checkEnum,
  checkAllOf,
  checkAnyOf,
  checkOneOf,
  checkIf,
  checkNot,
  checkFormat,
  checkConst,
  checkContains,
]
