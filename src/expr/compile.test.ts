import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { compileExpression } from './compile.ts'
import type { VariableSource } from './expr.ts'
import { ExpressionError } from './expression-error.ts'

const vars: Record<string, unknown> = {
  arg_name: 'json',
  arg_age: '18',
  arg_empty: '',
  arg_blank: ' ',
  http_agent: 'Curl/8.5',
  remote_addr: '10.1.2.3',
  status: 201,
  graphql_root_fields: ['owner', 'repo', 7],
  flag: true,
  nil: null,
}
const source: VariableSource = { var: (name) => vars[name] }

function holds(rules: unknown): boolean {
  return compileExpression(rules).test(source)
}

describe('expression', () => {
  const rules: [rule: unknown[], expected: boolean][] = [
    [['arg_name', '==', 'json'], true],
    [['arg_name', '==', 'JSON'], false],
    [['arg_name', 'json'], true],
    [['arg_name', 'xml'], false],
    [['arg_name', '~=', 'json'], false],
    [['arg_age', '==', 18], true],
    [['arg_age', '==', '18'], true],
    [['arg_age', '==', '18.0'], false],
    [['arg_age', '~=', 18], false],
    [['arg_name', '==', 18], false],
    [['arg_name', '~=', 18], true],
    [['arg_none', '~=', 18], true],
    [['status', '==', 201], true],
    [['status', '==', '201'], false],
    [['flag', '==', true], true],
    [['arg_name', '==', ['json']], false],
    [['arg_age', '>', 17], true],
    [['arg_age', '>', '17'], true],
    [['arg_age', '>', 18], false],
    [['arg_age', '>=', 18], true],
    [['arg_age', '<', 18.5], true],
    [['arg_age', '<=', 18], true],
    [['arg_age', '<', '0x20'], true],
    [['arg_name', '>', 1], false],
    [['arg_none', '<', 1], false],
    [['arg_empty', '<', 1], false],
    [['arg_blank', '<', 1], false],
    [['arg_age', '>', 'x'], false],
    [['http_agent', '~~', '^Curl/\\d'], true],
    [['http_agent', '~~', '^curl'], false],
    [['http_agent', '~*', '^curl'], true],
    [['http_agent', '~~', '(?i)^curl'], true],
    [['arg_none', '~~', '.*'], false],
    [['arg_name', '~~', '('], false],
    [['arg_name', '!', '~~', '('], true],
    [['status', '~~', '^2'], true],
    [['arg_name', 'in', ['xml', 'json']], true],
    [['arg_age', 'in', [18]], false],
    [['status', 'in', [200, 201]], true],
    [['arg_name', 'in', 'json'], false],
    [['arg_none', 'in', [null]], false],
    [['graphql_root_fields', 'has', 'repo'], true],
    [['graphql_root_fields', 'has', '7'], false],
    [['arg_name', 'has', 'json'], false],
    [['remote_addr', 'ipmatch', '10.0.0.0/8'], true],
    [['remote_addr', 'ipmatch', ['::1', '10.1.2.3']], true],
    [['remote_addr', 'ipmatch', ['::1', '10.1.2.4']], false],
    [['arg_name', 'ipmatch', '0.0.0.0/0'], false],
    [['arg_none', 'ipmatch', '0.0.0.0/0'], false],
    [['arg_name', '!', '==', 'json'], false],
    [['arg_name', '!', 'in', ['xml']], true],
    [['arg_none', '==', null], true],
    [['nil', '==', null], true],
    [['arg_name', '==', null], false],
    [['arg_none', '~=', null], false],
    [['arg_name', '!', '==', null], true],
    [['arg_none', '=='], true],
    [['arg_none', '==', ''], false],
    [['arg_name', 'IN', ['json']], true],
    [['arg_name', '==', 'json', 'and', 'more'], true],
    [['arg_name', '!'], false],
    [['OR', ['arg_name', '==', 'x'], ['arg_age', '>', 10]], true],
    [['or', ['arg_name', '==', 'x'], ['arg_age', '>', 20]], false],
    [['AND', ['arg_name', '==', 'json'], ['arg_age', '>', 20]], false],
    [['!AND', ['arg_name', '==', 'json'], ['arg_age', '>', 20]], true],
    [['!Or', ['arg_name', '==', 'x'], ['arg_age', '>', 20]], true],
    [
      [
        'AND',
        ['OR', ['arg_name', 'x'], ['arg_name', 'json']],
        ['!OR', ['arg_age', '>', 99], ['arg_none', 'x']],
      ],
      true,
    ],
    [
      [
        ['arg_name', '==', 'json'],
        ['arg_age', '==', 18],
      ],
      true,
    ],
  ]
  for (const [rule, expected] of rules) {
    it(`${JSON.stringify(rule)} is ${expected}`, () => assert.equal(holds([rule]), expected))
  }

  it('holds always when it is empty', () => {
    assert.equal(holds([]), true)
    assert.equal(holds({}), true)
  })

  it('may be a group itself', () => {
    assert.equal(holds(['OR', ['arg_name', '==', 'x'], ['arg_age', '>', 10]]), true)
  })

  it('needs each of its rules', () => {
    assert.equal(
      holds([
        ['arg_name', 'json'],
        ['arg_age', '18'],
      ]),
      true,
    )
    assert.equal(
      holds([
        ['arg_name', 'json'],
        ['arg_age', '19'],
      ]),
      false,
    )
  })

  const refused: [rules: unknown, message: string][] = [
    [['arg_x', '==', 'a'], 'rule should be wrapped inside brackets'],
    [[1, '==', 'a'], 'rule should be wrapped inside brackets'],
    [['OR', ['arg_x', '==', 'a']], 'rule too short'],
    [[['AND', ['arg_x', '==', 'a']]], 'rule too short'],
    [[[]], 'rule too short'],
    [[['arg_x', 'foo', 'a']], "invalid operator 'foo'"],
    [[['arg_x', 'FOO', 'a']], "invalid operator 'foo'"],
    [[['arg_x', '!', '==']], "invalid operator '!'"],
    [[['arg_x', null, 'a']], "invalid operator 'null'"],
    [[['arg_x', '==', 'a', 'b']], "bad 'not' expression"],
    [[['arg_x', '!', 'foo', 'b']], "invalid operator 'foo'"],
    [[['arg_x']], 'invalid expression'],
    [[[null, '==', 'a']], 'invalid expression'],
    [[['arg_x', '==', 'a'], 'arg_y'], 'invalid expression'],
    ['arg_x', 'invalid expression'],
    [null, 'invalid expression'],
    [[['arg_x', 'ipmatch', '300.1.1.1']], 'invalid ip address: 300.1.1.1'],
    [[['arg_x', 'ipmatch', ['::1', 'no']]], 'invalid ip address: no'],
    [[['arg_x', 'ipmatch', 5]], 'invalid ip address: 5'],
    [[['arg_x', 'constructor', 'a']], "invalid operator 'constructor'"],
  ]
  for (const [expression, message] of refused) {
    it(`refuses ${JSON.stringify(expression)}: ${message}`, () => {
      assert.throws(() => compileExpression(expression), new ExpressionError(message))
    })
  }

  it('refuses a group nested beyond reason instead of overflowing the stack', () => {
    let rule: unknown = ['a', '==', 'b']
    for (let depth = 0; depth < 100_000; depth++) rule = [rule]
    assert.throws(() => compileExpression(rule), /nested deeper than 64/)
  })

  it('refuses a pattern that no engine can promise to finish with', () => {
    for (const operator of ['~~', '~*']) {
      assert.throws(
        () => compileExpression([['uri', operator, '^(?!b)(a+)+$']]),
        (error) =>
          error instanceof ExpressionError && /exponential time, and has a lookahead/.test(error.message),
      )
    }
  })

  it('names the first rule that did not hold, as the user wrote it', () => {
    const or = ['OR', ['arg_name', '==', 'x'], ['arg_age', '>', 20]]
    const failure = (rules: unknown): string | undefined => compileExpression(rules).firstFailure(source)
    assert.equal(
      failure([
        ['arg_name', 'json'],
        ['arg_age', '<', 5],
        ['arg_none', 'x'],
      ]),
      '["arg_age","<",5]',
    )
    assert.equal(failure([['arg_name', 'json'], or]), JSON.stringify(or))
    assert.equal(
      failure(['AND', ['arg_name', 'json'], ['arg_age', '!', '==', 18]]),
      '["arg_age","!","==",18]',
    )
    assert.equal(failure([['arg_name', 'json']]), undefined)
    assert.equal(failure([]), undefined)
  })
})

const name = fc.constantFrom(...Object.keys(vars), 'arg_none')
const value = fc.oneof(
  fc.constantFrom<unknown>('json', '18', 18, '', null, true, 201, 'repo', '10.0.0.0/8'),
  fc.jsonValue({ maxDepth: 1 }),
)
const operator = fc.constantFrom('==', '~=', '>', '>=', '<', '<=', '~~', '~*', 'in', 'has')
const comparison = fc.tuple(name, operator, value)

describe('expression, whatever the rule', () => {
  it('a negated rule is the opposite of the rule', () => {
    fc.assert(
      fc.property(comparison, ([left, op, right]) => {
        assert.equal(holds([[left, '!', op, right]]), !holds([[left, op, right]]))
      }),
    )
  })

  it('groups obey De Morgan', () => {
    fc.assert(
      fc.property(fc.array(comparison, { minLength: 2, maxLength: 4 }), (rules) => {
        const negated = rules.map(([left, op, right]) => [left, '!', op, right])
        assert.equal(holds(['!AND', ...rules]), holds(['OR', ...negated]))
        assert.equal(holds(['!OR', ...rules]), holds(['AND', ...negated]))
        assert.equal(holds(['AND', ...rules]), holds(rules))
      }),
    )
  })

  it('compiles or is refused with an ExpressionError, and what compiled never throws', () => {
    const words = fc.constantFrom<unknown>(
      'AND',
      'or',
      '!',
      '==',
      'in',
      '~~',
      'ipmatch',
      'arg_name',
      '(',
      5,
      null,
    )
    const { rule } = fc.letrec<{ rule: unknown }>((tie) => ({
      rule: fc.oneof(
        { maxDepth: 4 },
        words,
        fc.jsonValue({ maxDepth: 2 }),
        fc.array(tie('rule'), { maxLength: 5 }),
      ),
    }))
    fc.assert(
      fc.property(rule, fc.jsonValue(), (rules, everyValue) => {
        let compiled: ReturnType<typeof compileExpression>
        try {
          compiled = compileExpression(rules)
        } catch (error) {
          assert.ok(error instanceof ExpressionError)
          return
        }
        const anything: VariableSource = { var: () => everyValue }
        assert.equal(compiled.firstFailure(anything) === undefined, compiled.test(anything))
      }),
      { numRuns: 1000 },
    )
  })
})
