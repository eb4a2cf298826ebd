import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileExpression } from '../../src/expr/compile.ts'
import { ExpressionError } from '../../src/expr/expression-error.ts'
import { type Random, seeded } from './mutations.ts'

/** More of both for a longer hunt: FUZZ_RUNS=20000 FUZZ_SEED=7 npm test -- fuzz. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 500) * 20
const SEED = Number(process.env['FUZZ_SEED'] ?? 20261121)

const pick = <T>(values: readonly T[], random: Random): T => values[Math.floor(random() * values.length)]!

const NAMES = [
  'arg_a',
  'http_b',
  'remote_addr',
  'status',
  'list',
  'none',
  '__proto__',
  'constructor',
] as const
const VALUES: readonly unknown[] = [
  ...[
    '',
    'a',
    'A',
    'abc',
    '18',
    '18.0',
    ' 18 ',
    '0x12',
    '1e1',
    '-1',
    'nan',
    'Infinity',
    '10.1.2.3',
    '::1',
    'true',
    '__proto__',
  ],
  ...[0, 18, -1, 1.5, true, false],
]
const LISTS: readonly unknown[] = [[], ['a', 18], ['18'], ['10.0.0.0/8', '::1']]
const PATTERNS = ['^a', 'B', '[0-9]+', '(', '^$', '(?i)ABC', 'a|b', '.*'] as const
const OPERATORS = ['==', '~=', '>', '>=', '<', '<=', '~~', '~*', 'in', 'has', 'ipmatch'] as const
const NETWORKS: readonly unknown[] = ['10.0.0.0/8', ['10.1.2.3', '::1'], ['::/0'], '192.168.0.1']
const MALFORMED: readonly unknown[] = [
  ...[
    'AND',
    7,
    null,
    true,
    [],
    {},
    ['a'],
    ['OR'],
    ['a', 'b', 'c'],
    ['a', '=', 1],
    ['a', '!', '==', 1, 2],
    ['a', '?', '==', 1],
  ],
  ...[[[]], [null], [['a', 'ipmatch', 'no address']], ['!AND', ['a', '==', 1]]],
]

function makeComparison(random: Random): unknown[] {
  const operator = pick(OPERATORS, random)
  const right = () => {
    if (operator === 'ipmatch') return pick(NETWORKS, random)
    if (operator.startsWith('~') && operator !== '~=') return pick([...PATTERNS, ...VALUES], random)
    return pick([...VALUES, ...(operator === 'in' ? LISTS : [])], random)
  }
  const spelt = random() < 0.1 ? operator.toUpperCase() : operator
  const rule = [pick(NAMES, random), spelt, right()]
  if (random() < 0.2) rule.splice(1, 0, '!')
  return rule
}

function makeRules(random: Random, depth: number): unknown[] {
  if (depth === 0 || random() < 0.4) return makeComparison(random)
  const rules = Array.from({ length: 2 + Math.floor(random() * 2) }, () => makeRules(random, depth - 1))
  const group = pick(['AND', 'OR', '!AND', '!OR', 'and', 'or', undefined], random)
  return group === undefined ? rules : [group, ...rules]
}

function makeVariables(random: Random): Record<string, unknown> {
  const variables: Record<string, unknown> = Object.create(null)
  for (const name of NAMES) {
    if (name !== 'none' && random() < 0.8) variables[name] = pick([...VALUES, ...LISTS], random)
  }
  return variables
}

/* The interpreter: contract §4.4 read aloud, once per request, with none of the compiler's parts. */

function holds(rules: unknown[], variables: Record<string, unknown>): boolean {
  const [first, ...rest] = rules as [unknown, ...unknown[][]]
  if (Array.isArray(first)) return (rules as unknown[][]).every((rule) => holds(rule, variables))
  switch (String(first).toUpperCase()) {
    case 'AND':
      return rest.every((rule) => holds(rule, variables))
    case 'OR':
      return rest.some((rule) => holds(rule, variables))
    case '!AND':
      return !rest.every((rule) => holds(rule, variables))
    case '!OR':
      return !rest.some((rule) => holds(rule, variables))
    default:
      return comparison(rules, variables[String(first)])
  }
}

function comparison(rule: unknown[], left: unknown): boolean {
  if (rule.length === 4) return !compare(left, String(rule[2]).toLowerCase(), rule[3])
  return compare(left, String(rule[1]).toLowerCase(), rule[2])
}

function compare(left: unknown, operator: string, right: unknown): boolean {
  if (operator === '==') return isEqual(left, right)
  if (operator === '~=') return !isEqual(left, right)
  if (operator === 'in') return Array.isArray(right) && right.some((one) => one === left)
  if (operator === 'has') return Array.isArray(left) && left.some((one) => one === right)
  if (operator === 'ipmatch')
    return typeof left === 'string' && [right].flat().some((one) => isWithin(left, one))
  if (operator === '~~' || operator === '~*') return isFound(left, right, operator === '~*')
  const [one, other] = [numberOf(left), numberOf(right)]
  if (one === undefined || other === undefined) return false
  if (operator === '>') return one > other
  if (operator === '>=') return one >= other
  return operator === '<' ? one < other : one <= other
}

function isEqual(left: unknown, right: unknown): boolean {
  return typeof right === 'number' ? numberOf(left) === right : left === right
}

/** Lua's tonumber. */
function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  const text = typeof value === 'string' ? value.trim() : ''
  const isNumeral = /^[-+]?(0x[0-9a-f]+|[0-9.]+(e[-+]?[0-9]+)?)$/i.test(text)
  return isNumeral && Number.isFinite(Number(text)) ? Number(text) : undefined
}

function isFound(left: unknown, right: unknown, ignoresCase: boolean): boolean {
  if (!['string', 'number'].includes(typeof left) || !['string', 'number'].includes(typeof right))
    return false
  const [, inline, pattern] = /^(\(\?i\))?(.*)$/s.exec(String(right))!
  try {
    return new RegExp(pattern!, ignoresCase || inline ? 'i' : '').test(String(left))
  } catch {
    // What is no pattern finds nothing.
    return false
  }
}

/** Enough for the networks above. */
function isWithin(address: string, network: unknown): boolean {
  if (network === '::/0') return address === '::1'
  return network === '10.0.0.0/8' ? address === '10.1.2.3' : address === network
}

describe('a vars expression', () => {
  it(`holds exactly when a slow interpreter says so (${RUNS} expressions, seed ${SEED})`, () => {
    const random = seeded(SEED)
    let held = 0
    for (let run = 0; run < RUNS; run++) {
      const rules = [makeRules(random, 3)]
      const compiled = compileExpression(rules)
      const variables = makeVariables(random)
      const source = { var: (name: string) => variables[name] }
      const expected = holds(rules, variables)
      const shown = `run ${run}, seed ${SEED}: ${JSON.stringify(rules)} of ${JSON.stringify(variables)}`
      assert.equal(compiled.test(source), expected, shown)
      assert.equal(compiled.firstFailure(source) === undefined, expected, shown)
      if (expected) held++
    }
    assert.ok(held > RUNS / 10 && held < RUNS - RUNS / 10, `${held} of ${RUNS} held`)
  })

  it(`that is malformed is refused with a sentence, and none throws anything else (${RUNS} expressions, seed ${SEED})`, () => {
    const random = seeded(SEED)
    let refused = 0
    for (let run = 0; run < RUNS; run++) {
      const rules = [makeRules(random, 2)]
      spoil(rules, random)
      try {
        const compiled = compileExpression(rules)
        const variables = makeVariables(random)
        assert.equal(typeof compiled.test({ var: (name) => variables[name] }), 'boolean')
      } catch (error) {
        assert.ok(
          error instanceof ExpressionError,
          `run ${run}, seed ${SEED}: ${JSON.stringify(rules)}: ${error}`,
        )
        assert.match(error.message, /^[a-z]+ .+/, 'a sentence')
        refused++
      }
    }
    assert.ok(refused > RUNS / 10, `only ${refused} of ${RUNS} were refused`)
  })
})

/** Puts something that does not belong at a random place. */
function spoil(rules: unknown[], random: Random): void {
  let at = rules
  while (random() < 0.6) {
    const inner = at.filter((one): one is unknown[] => Array.isArray(one))
    if (inner.length === 0) break
    at = pick(inner, random)
  }
  at[Math.floor(random() * at.length)] = structuredClone(pick(MALFORMED, random))
}
