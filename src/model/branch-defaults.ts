import { hasDefaults, isNode, type Schema, type SchemaNode } from './schema-node.ts'

type Mutable = { -readonly [Key in keyof SchemaNode]: SchemaNode[Key] }

/**
 * The part of a schema that has to be walked again after ajv has accepted a value, because ajv fills in no defaults below `anyOf`,
 * `allOf`, `oneOf`, `if` and `dependencies`; `undefined` when there are none.
 */
export function partWithBranchDefaults(node: SchemaNode): SchemaNode | undefined {
  const part: Mutable = {}
  keepBranches(node, part)
  keepMembers(node, part)
  keepItems(node, part)
  return Object.keys(part).length > 0 ? part : undefined
}

function keepBranches(node: SchemaNode, part: Mutable): void {
  for (const keyword of ['allOf', 'anyOf', 'oneOf'] as const) {
    const branches = node[keyword]
    if (branches?.some(hasDefaults)) part[keyword] = branches
  }
  if (hasDefaults(node.then ?? true) || hasDefaults(node.else ?? true)) {
    for (const keyword of ['if', 'then', 'else'] as const) {
      const branch = node[keyword]
      if (branch !== undefined) part[keyword] = branch
    }
  }
  const dependencies = node.dependencies
  if (Object.values(dependencies ?? {}).some((one) => !Array.isArray(one) && hasDefaults(one as Schema))) {
    part.dependencies = dependencies ?? {}
  }
}

function keepMembers(node: SchemaNode, part: Mutable): void {
  const properties = partsOf(node.properties)
  const patternProperties = partsOf(node.patternProperties)
  const additional = isNode(node.additionalProperties)
    ? partWithBranchDefaults(node.additionalProperties)
    : undefined
  if (additional) {
    // Which keys are additional depends on all that are named, also on those with nothing to fill in.
    part.additionalProperties = additional
    part.properties = { ...allTrue(node.properties), ...properties }
    part.patternProperties = { ...allTrue(node.patternProperties), ...patternProperties }
    return
  }
  if (Object.keys(properties).length > 0) part.properties = properties
  if (Object.keys(patternProperties).length > 0) part.patternProperties = patternProperties
}

function partsOf(schemas: Readonly<Record<string, Schema>> = {}): Record<string, Schema> {
  return Object.fromEntries(
    Object.entries(schemas).flatMap(([key, schema]) => {
      const part = isNode(schema) ? partWithBranchDefaults(schema) : undefined
      return part ? [[key, part]] : []
    }),
  )
}

function allTrue(schemas: Readonly<Record<string, Schema>> = {}): Record<string, Schema> {
  return Object.fromEntries(Object.keys(schemas).map((key) => [key, true]))
}

function keepItems({ items, additionalItems }: SchemaNode, part: Mutable): void {
  const list = Array.isArray(items) ? (items as readonly Schema[]) : undefined
  const parts = (list ?? [items as Schema | undefined]).map((schema) =>
    isNode(schema) ? partWithBranchDefaults(schema) : undefined,
  )
  const rest = isNode(additionalItems) ? partWithBranchDefaults(additionalItems) : undefined
  if (rest) part.additionalItems = rest
  if (rest || parts.some((one) => one !== undefined)) {
    part.items = list ? parts.map((one) => one ?? true) : (parts[0] ?? true)
  }
}
