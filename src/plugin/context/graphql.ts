import { createRequire } from 'node:module'
import type { OperationDefinitionNode, SelectionNode } from 'graphql'

/** What variables tell of a query (contract §4.5). */
export interface GraphqlOperation {
  /** Empty for one without a name. */
  readonly name: string
  readonly operation: 'query' | 'mutation' | 'subscription'
  /** Names of the fields asked for at the root, those of fragments among them; aliases are not names. */
  readonly rootFields: readonly string[]
}

type Parser = typeof import('graphql/language/parser.js')
type Definitions = ReturnType<Parser['parse']>['definitions']

/** More is not parsed: some ten milliseconds, whatever the bytes allowed. */
const MAX_TOKENS = 20_000
const MAX_ROOT_FIELDS = 1000

const load = createRequire(import.meta.url)

/** The first operation of a document; `undefined` for what is not GraphQL, has none, or is too long to be parsed. */
export function readGraphql(text: string): GraphqlOperation | undefined {
  // Loaded with the first query, and kept by Node.js: most gateways never see one.
  const definitions = definitionsOf(text, load('graphql/language/parser.js') as Parser)
  const first = definitions?.find(isOperation)
  if (!definitions || !first) return undefined
  return {
    name: first.name?.value ?? '',
    operation: first.operation,
    rootFields: rootFieldsOf(first, definitions),
  }
}

function definitionsOf(text: string, { parse }: Parser): Definitions | undefined {
  try {
    return parse(text, { noLocation: true, maxTokens: MAX_TOKENS }).definitions
  } catch {
    // A syntax error, too many tokens, or nested beyond the stack: the variables have no value, which is their whole failure.
    return undefined
  }
}

function isOperation(definition: Definitions[number]): definition is OperationDefinitionNode {
  return definition.kind === 'OperationDefinition'
}

function rootFieldsOf(operation: OperationDefinitionNode, definitions: Definitions): string[] {
  const fields: string[] = []
  const spread = new Set<string>()
  const waiting: SelectionNode[] = [...operation.selectionSet.selections].reverse()
  while (waiting.length > 0 && fields.length < MAX_ROOT_FIELDS) {
    const selection = waiting.pop()!
    if (selection.kind === 'Field') fields.push(selection.name.value)
    else waiting.push(...innerOf(selection, definitions, spread).toReversed())
  }
  return fields
}

/** What stands in a fragment; a named one is looked into once. */
function innerOf(
  selection: Exclude<SelectionNode, { kind: 'Field' }>,
  definitions: Definitions,
  spread: Set<string>,
): readonly SelectionNode[] {
  if (selection.kind === 'InlineFragment') return selection.selectionSet.selections
  const name = selection.name.value
  if (spread.has(name)) return []
  spread.add(name)
  for (const definition of definitions) {
    if (definition.kind === 'FragmentDefinition' && definition.name.value === name) {
      return definition.selectionSet.selections
    }
  }
  return []
}
