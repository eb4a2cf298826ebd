import { toPattern } from './schema-value.ts'

/** One node of a JSON schema, with the keywords the validator knows (draft 7). */
export interface SchemaNode {
  readonly type?: string | readonly string[]
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly dependencies?: Readonly<Record<string, readonly string[] | Schema>>
  readonly patternProperties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema
  readonly minProperties?: number
  readonly maxProperties?: number
  readonly items?: Schema | readonly Schema[]
  readonly additionalItems?: Schema
  readonly contains?: Schema
  readonly minItems?: number
  readonly maxItems?: number
  readonly uniqueItems?: boolean
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly format?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly multipleOf?: number
  readonly allOf?: readonly Schema[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly not?: Schema
  readonly if?: Schema
  readonly then?: Schema
  readonly else?: Schema
}

export type Schema = SchemaNode | boolean

/** Assertions that the explanation does not know. A schema with one of them would be answered wrongly, so it is not accepted at all. */
const UNKNOWN_ASSERTIONS = [
  '$ref',
  '$dynamicRef',
  '$recursiveRef',
  'propertyNames',
  'prefixItems',
  'dependentRequired',
  'dependentSchemas',
  'unevaluatedProperties',
  'unevaluatedItems',
  'minContains',
  'maxContains',
]

const MAPS_OF_SCHEMAS = ['properties', 'patternProperties', 'dependencies'] as const
const LISTS_OF_SCHEMAS = ['allOf', 'anyOf', 'oneOf'] as const
const SINGLE_SCHEMAS = [
  'not',
  'if',
  'then',
  'else',
  'contains',
  'additionalProperties',
  'additionalItems',
] as const

/** Whether a schema is more than `true` or `false`. */
export function isNode(schema: unknown): schema is SchemaNode {
  return typeof schema === 'object' && schema !== null && !Array.isArray(schema)
}

/** The schemas one level below, each with its place. */
function* children(node: SchemaNode): Generator<{ child: SchemaNode; path: string }> {
  for (const keyword of MAPS_OF_SCHEMAS) {
    for (const [key, child] of Object.entries(node[keyword] ?? {})) {
      if (isNode(child)) yield { child, path: `/${keyword}/${key}` }
    }
  }
  for (const keyword of LISTS_OF_SCHEMAS) {
    for (const [index, child] of (node[keyword] ?? []).entries()) {
      if (isNode(child)) yield { child, path: `/${keyword}/${index}` }
    }
  }
  const items = Array.isArray(node.items) ? node.items : [node.items]
  for (const child of items) if (isNode(child)) yield { child, path: '/items' }
  for (const keyword of SINGLE_SCHEMAS) {
    const child = node[keyword]
    if (isNode(child)) yield { child, path: `/${keyword}` }
  }
}

/** Throws when the schema asserts something the explanation does not know, or has a pattern that is none, naming the keyword and its place. */
export function refuseUnknownAssertions(node: SchemaNode, path = ''): void {
  for (const pattern of [node.pattern ?? [], Object.keys(node.patternProperties ?? {})].flat()) {
    try {
      toPattern(pattern)
    } catch (error) {
      throw new Error(`schema ${path || '/'}: ${(error as Error).message}`)
    }
  }
  for (const keyword of UNKNOWN_ASSERTIONS) {
    if (Object.hasOwn(node, keyword)) {
      throw new Error(
        `schema ${path || '/'}: the keyword "${keyword}" is not supported; spell the rule out with draft-7 keywords`,
      )
    }
  }
  for (const { child, path: step } of children(node)) refuseUnknownAssertions(child, path + step)
}

/** Whether a value that fits the schema may get defaults from it. */
export function hasDefaults(node: Schema): boolean {
  if (!isNode(node)) return false
  for (const { child } of children(node)) {
    if (child.default !== undefined || hasDefaults(child)) return true
  }
  return false
}
