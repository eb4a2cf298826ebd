import type { Expression, VariableSource } from './expr.ts'
import { ExpressionError } from './expression-error.ts'
import { type Comparison, OPERATORS } from './operators.ts'

/** Groups nest this deep at most; a deeper one is a mistake or an attack on the stack. */
const MAX_DEPTH = 64
const NOT = '!'

type Test = (source: VariableSource) => boolean

interface CompiledRule {
  readonly test: Test
  /** What the user wrote; not ours, never changed. */
  readonly raw: unknown
  /** The rules of an AND group: each has to hold, so the one that does not can be named. */
  readonly all?: readonly CompiledRule[]
}

type Group = (raw: unknown, rules: readonly CompiledRule[]) => CompiledRule

const GROUPS: ReadonlyMap<string, Group> = new Map<string, Group>([
  ['AND', allOf],
  ['OR', (raw, rules) => ({ raw, test: (source) => someHolds(rules, source) })],
  ['!AND', (raw, rules) => ({ raw, test: (source) => !everyHolds(rules, source) })],
  ['!OR', (raw, rules) => ({ raw, test: (source) => !someHolds(rules, source) })],
])

/**
 * Compiles a `vars` expression (contract §4.4). An empty array or object holds always. Regular expressions that do not compile
 * are accepted and never hold. Throws `ExpressionError` with APISIX's message. Keeps a reference to `rules` for explanations.
 */
export function compileExpression(rules: unknown): Expression {
  const variables: string[] = []
  const rule = compileTop(rules, variables)
  return {
    test: rule.test,
    variables,
    firstFailure: (source) =>
      rule.test(source) ? undefined : JSON.stringify(firstFailing(rule, source).raw),
  }
}

function compileTop(rules: unknown, variables: string[]): CompiledRule {
  if (isEmpty(rules)) return { raw: rules, test: () => true }
  if (!Array.isArray(rules)) throw new ExpressionError('invalid expression')
  if (!isNested(rules[0]) && groupOf(rules[0]) === undefined) {
    throw new ExpressionError('rule should be wrapped inside brackets')
  }
  return compileRule(rules, 0, variables)
}

function isEmpty(rules: unknown): boolean {
  return isNested(rules) && Object.keys(rules).length === 0
}

function isNested(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function groupOf(first: unknown): Group | undefined {
  return typeof first === 'string' ? GROUPS.get(first.toUpperCase()) : undefined
}

function compileRule(raw: unknown, depth: number, variables: string[]): CompiledRule {
  if (depth > MAX_DEPTH) throw new ExpressionError(`expression nested deeper than ${MAX_DEPTH} levels`)
  // An object has no items, as an empty array: the reference counts only those.
  if (!Array.isArray(raw)) throw new ExpressionError(isNested(raw) ? 'rule too short' : 'invalid expression')
  if (raw.length === 0) throw new ExpressionError('rule too short')
  const [first, ...operands] = raw
  if (isNested(first)) return allOf(raw, compileAll(raw, depth, variables))
  const group = groupOf(first)
  if (group === undefined) return compileComparison(raw, variables)
  if (operands.length < 2) throw new ExpressionError('rule too short')
  return group(raw, compileAll(operands, depth, variables))
}

function compileAll(rules: readonly unknown[], depth: number, variables: string[]): CompiledRule[] {
  return rules.map((rule) => compileRule(rule, depth + 1, variables))
}

function allOf(raw: unknown, rules: readonly CompiledRule[]): CompiledRule {
  return { raw, all: rules, test: (source) => everyHolds(rules, source) }
}

// Loops, not every/some: those would make a closure for each evaluation.
function everyHolds(rules: readonly CompiledRule[], source: VariableSource): boolean {
  for (const rule of rules) if (!rule.test(source)) return false
  return true
}

function someHolds(rules: readonly CompiledRule[], source: VariableSource): boolean {
  for (const rule of rules) if (rule.test(source)) return true
  return false
}

function compileComparison(raw: readonly unknown[], variables: string[]): CompiledRule {
  const [first] = raw
  if (typeof first !== 'string' && typeof first !== 'number') throw new ExpressionError('invalid expression')
  const name = String(first)
  variables.push(name)
  const holds = comparisonOf(raw)
  const expected = raw.length !== 4
  return { raw, test: (source) => holds(source.var(name)) === expected }
}

/** Four items are a negation; of more than four the first three count. */
function comparisonOf(raw: readonly unknown[]): Comparison {
  if (raw.length === 1) throw new ExpressionError('invalid expression')
  if (raw.length === 4) {
    if (raw[1] !== NOT) throw new ExpressionError("bad 'not' expression")
    return operator(raw[2])(present(raw[3]))
  }
  const isShort = raw.length === 2
  if (isShort && (typeof raw[1] !== 'string' || !OPERATORS.has(raw[1].toLowerCase()))) {
    return operator('==')(present(raw[1]))
  }
  return operator(raw[1])(present(raw[2]))
}

function operator(name: unknown): (right: unknown) => Comparison {
  const found = typeof name === 'string' ? OPERATORS.get(name.toLowerCase()) : undefined
  if (found !== undefined) return found
  throw new ExpressionError(
    `invalid operator '${typeof name === 'string' ? name.toLowerCase() : JSON.stringify(name)}'`,
  )
}

function present(value: unknown): unknown {
  return value ?? undefined
}

function firstFailing(rule: CompiledRule, source: VariableSource): CompiledRule {
  const failing = rule.all?.find((part) => !part.test(source))
  return failing === undefined ? rule : firstFailing(failing, source)
}
