import { parseSync } from 'oxc-parser'

/** What the architecture rules want to know of one source file. Lines count from 1. */
export interface SourceFacts {
  /** Relative to the root of the repository, with forward slashes. */
  readonly path: string
  readonly lineCount: number
  readonly imports: readonly ImportFact[]
  readonly functions: readonly FunctionFact[]
  readonly comments: readonly CommentFact[]
  /** Lines of `let` and `var` at the top level of the module. */
  readonly mutableStateLines: readonly number[]
}

export interface ImportFact {
  readonly specifier: string
  readonly line: number
  /** Leaves nothing behind in the compiled file: `import type`, `export type … from`, `import('…').T` in a type. */
  readonly isTypeOnly: boolean
  /** `import('…')` as an expression. */
  readonly isLazy: boolean
}

export interface FunctionFact {
  readonly name: string
  readonly line: number
  readonly lineCount: number
  /** 0 for a function written as an argument of a call: the callee decides what it is given. */
  readonly parameterCount: number
}

export interface CommentFact {
  readonly line: number
  readonly text: string
}

interface AstNode {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

type Found = { imports: ImportFact[]; functions: FunctionFact[] }
type LineOf = (offset: number) => number

/** Reads one TypeScript or JavaScript source. Throws when it does not parse, naming the file. */
export function scan(path: string, source: string): SourceFacts {
  const { program, comments, errors } = parseSync(path, source)
  if (errors.length > 0) throw new Error(`${path} does not parse: ${errors[0]!.message}`)
  const lineOf = lineLookup(source)
  const found: Found = { imports: [], functions: [] }
  visit(program as unknown as AstNode, undefined, (node, parent) => collect(node, parent, { found, lineOf }))
  return {
    path,
    lineCount: source.replace(/\n$/, '').split('\n').length,
    ...found,
    comments: comments.flatMap(({ value, start }) =>
      value.split('\n').map((text, index) => ({ line: lineOf(start) + index, text })),
    ),
    mutableStateLines: (program.body as unknown as AstNode[])
      .filter(isMutable)
      .map((node) => lineOf(node.start)),
  }
}

function lineLookup(source: string): LineOf {
  const starts = [0]
  for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => starts.findLastIndex((start) => start <= offset) + 1
}

function visit(
  node: AstNode,
  parent: AstNode | undefined,
  see: (node: AstNode, parent?: AstNode) => void,
): void {
  see(node, parent)
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) visit(child, node, see)
    }
  }
}

function isNode(value: unknown): value is AstNode {
  return typeof value === 'object' && value !== null && typeof (value as AstNode).type === 'string'
}

function collect(node: AstNode, parent: AstNode | undefined, into: { found: Found; lineOf: LineOf }): void {
  const line = into.lineOf(node.start)
  const specifier = specifierOf(node)
  if (specifier !== undefined) {
    const isTypeOnly =
      node.type === 'TSImportType' || node['importKind'] === 'type' || node['exportKind'] === 'type'
    into.found.imports.push({ specifier, line, isTypeOnly, isLazy: node.type === 'ImportExpression' })
  }
  if (isFunction(node)) {
    into.found.functions.push({
      name: nameOf(node, parent),
      line,
      lineCount: into.lineOf(node.end - 1) - line + 1,
      parameterCount: isArgument(node, parent) ? 0 : parametersOf(node).length,
    })
  }
}

function isArgument(node: AstNode, parent: AstNode | undefined): boolean {
  return parent?.type === 'CallExpression' && parent['callee'] !== node
}

function parametersOf(node: AstNode): AstNode[] {
  return (node['params'] as AstNode[]).filter((parameter) => parameter['name'] !== 'this')
}

const IMPORTING = new Set([
  'ImportDeclaration',
  'ExportNamedDeclaration',
  'ExportAllDeclaration',
  'ImportExpression',
  'TSImportType',
])

function specifierOf(node: AstNode): string | undefined {
  if (!IMPORTING.has(node.type)) return undefined
  const source = node['source'] as { value?: unknown } | null | undefined
  return typeof source?.value === 'string' ? source.value : undefined
}

/** Functions with a body; an overload or a declaration without one is measured where it is implemented. */
function isFunction(node: AstNode): boolean {
  return (
    /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type) &&
    isNode(node['body'])
  )
}

function nameOf(node: AstNode, parent: AstNode | undefined): string {
  const named = [node['id'], parent?.['key'], parent?.['id'], parent?.['left']]
  return (
    named
      .filter(isNode)
      .map((identifier) => identifier['name'])[0]
      ?.toString() ?? 'a function without a name'
  )
}

function isMutable(node: AstNode): boolean {
  const declaration = isNode(node['declaration']) ? node['declaration'] : node
  return (
    declaration.type === 'VariableDeclaration' &&
    declaration['kind'] !== 'const' &&
    declaration['declare'] !== true
  )
}
