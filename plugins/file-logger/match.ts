import { compileExpression, type Expression, type RequestContext } from '../../src/plugin/api.ts'

/** Compiles `match`: a request is logged when one of the expressions holds. Throws `ExpressionError` for one that is none. */
export function compileMatch(rules: readonly unknown[] | undefined): (context: RequestContext) => boolean {
  if (rules === undefined) return () => true
  const expressions = rules.map(compileOne)
  return (context) => expressions.some((expression) => expression.test(context))
}

/** An item may be an expression, or a single rule of one. */
function compileOne(item: unknown): Expression {
  const isRule = Array.isArray(item) && typeof item[0] === 'string' && !GROUPS.has(item[0].toUpperCase())
  return compileExpression(isRule ? [item] : item)
}

const GROUPS: ReadonlySet<string> = new Set(['AND', 'OR', '!AND', '!OR'])
