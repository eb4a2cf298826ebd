import type { ErrorObject } from 'ajv'

type Describe = (error: ErrorObject) => string

const atLeast = (what: string, unit: string): Describe => {
  return ({ schema }) => `expect ${what} to have at least ${schema} ${unit}`
}
const atMost = (what: string, unit: string): Describe => {
  return ({ schema }) => `expect ${what} to have at most ${schema} ${unit}`
}
const bound = (words: string): Describe => {
  return ({ schema, data }) => `expected ${data} to be ${words} ${schema}`
}
const length = (words: string): Describe => {
  return ({ schema, data }) => `string too ${words} ${schema}, got ${[...(data as string)].length}`
}

/** In the words of contract §3.1. */
const WORDS: Readonly<Record<string, Describe>> = {
  type: ({ params, data }) => `wrong type: expected ${params['type']}, got ${luaType(data)}`,
  required: ({ params }) => `property "${params['missingProperty']}" is required`,
  dependencies: ({ params }) =>
    `property "${params['missingProperty']}" is required when "${params['property']}" is set`,
  additionalProperties: ({ params }) =>
    `additional properties forbidden, found ${params['additionalProperty']}`,
  minProperties: atLeast('object', 'properties'),
  maxProperties: atMost('object', 'properties'),
  minItems: atLeast('array', 'items'),
  maxItems: atMost('array', 'items'),
  uniqueItems: () => 'expected unique items',
  minLength: length('short, expected at least'),
  maxLength: length('long, expected at most'),
  pattern: ({ schema, data }) => `failed to match pattern "${schema}" with "${data}"`,
  minimum: bound('at least'),
  maximum: bound('at most'),
  exclusiveMinimum: bound('greater than'),
  exclusiveMaximum: bound('smaller than'),
  multipleOf: bound('a multiple of'),
  enum: () => 'matches none of the enum values',
  const: ({ schema }) => `expected the value ${JSON.stringify(schema)}`,
  anyOf: ({ schema }) => `object matches none of the required${requiredOf(schema)}`,
  oneOf: ({ params }) => `value should match only one schema, but ${matchesOf(params['passingSchemas'])}`,
  not: () => "value wasn't supposed to match schema",
  format: ({ schema, data }) => `expect valid ${schema} format but got: ${data}`,
  contains: () => 'no item matches what the array has to contain',
}

/** What is wrong with `root`, with the way there in front of it. */
export function describeError(error: ErrorObject, root: unknown): string {
  const words = Object.hasOwn(WORDS, error.keyword)
    ? WORDS[error.keyword]!(error)
    : (error.message ?? `${error.keyword} is not kept`)
  return wayTo(error.instancePath, root) + words
}

function wayTo(pointer: string, root: unknown): string {
  let place = root
  let way = ''
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    way += Array.isArray(place)
      ? `failed to validate item ${Number(key) + 1}: `
      : `property "${key}" validation failed: `
    place = (place as Record<string, unknown> | undefined)?.[key]
  }
  return way
}

function luaType(value: unknown): string {
  if (value === null) return 'userdata'
  return typeof value === 'object' ? 'table' : typeof value
}

function requiredOf(branches: unknown): string {
  const required = (branches as { required?: unknown }[])
    .map((branch) => branch.required)
    .filter((names) => names !== undefined)
  return required.length === 0 ? '' : `: ${required.map((names) => JSON.stringify(names)).join(' or ')}`
}

function matchesOf(passing: unknown): string {
  if (!Array.isArray(passing)) return 'matches none'
  return `matches both schemas ${Number(passing[0]) + 1} and ${Number(passing[1]) + 1}`
}
