import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BodyVariables, namesBodyVariable } from './body-variables.ts'

const MIB = 1024 * 1024
const JSON_TYPE = 'application/json'
const FORM_TYPE = 'application/x-www-form-urlencoded'
const MULTIPART_TYPE = 'multipart/form-data; boundary=XX'

function variables(body: string, contentType?: string, limits = { postArgBytes: MIB, graphqlBytes: MIB }) {
  return new BodyVariables(Buffer.from(body), contentType, limits)
}

describe('post_arg_<name>', () => {
  it('is the first value of a form’s field, decoded', () => {
    const form = variables('a=1&a=2&b=x+y%20z&c&__proto__=p', `${FORM_TYPE}; charset=utf-8`)
    assert.deepEqual(
      ['a', 'b', 'c', 'd', '__proto__', 'constructor'].map((name) => form.postArg(name)),
      ['1', 'x y z', undefined, undefined, 'p', undefined],
    )
  })

  it('is nothing but of forms', () => {
    for (const type of [JSON_TYPE, MULTIPART_TYPE, 'text/plain', undefined])
      assert.equal(variables('a=1', type).postArg('a'), undefined)
  })
})

describe('post_arg.<path>', () => {
  const json = variables(
    '{"model":"m","n":0,"on":false,"none":null,"a":{"b":[{"c":1},{"c":2}]},"__proto__":{"x":1}}',
    `${JSON_TYPE}; charset=utf-8`,
  )
  const cases: readonly (readonly [path: string, value: unknown])[] = [
    ['model', 'm'],
    ['n', 0],
    ['on', false],
    ['none', undefined],
    ['a.b', [{ c: 1 }, { c: 2 }]],
    ['a.b.0', undefined],
    ['a.b[*].c', [1, 2]],
    ['a.b[1].c', [2]],
    ['..c', [1, 2]],
    ['a.x[*]', undefined],
    ['a[', undefined],
    ['__proto__.x', 1],
    ['constructor', undefined],
    ['model.length', undefined],
  ]
  for (const [path, value] of cases) {
    it(`${path} of JSON is ${JSON.stringify(value)}`, () => assert.deepEqual(json.postArgAt(path), value))
  }

  it('reads forms and their parts', () => {
    const form = variables('a=1&a=2&b=x%20y', FORM_TYPE)
    assert.deepEqual(
      [form.postArgAt('a'), form.postArgAt('b'), form.postArgAt('a.b')],
      ['1', 'x y', undefined],
    )
    const part = (name: string, value: string) =>
      `--XX\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
    const parts = variables(`${part('a', '1')}${part('b', 'ü')}${part('a', '2')}--XX--\r\n`, MULTIPART_TYPE)
    assert.deepEqual(
      [parts.postArgAt('a'), parts.postArgAt('b'), parts.postArgAt('c')],
      ['1', 'ü', undefined],
    )
  })

  it('has no value where a body is malformed, of another type, or longer than allowed', () => {
    for (const [body, type] of [
      ['{"a":', JSON_TYPE],
      ['"text"', JSON_TYPE],
      ['null', JSON_TYPE],
      ['no parts', MULTIPART_TYPE],
      ['{"a":1}', 'text/plain'],
      ['{"a":1}', undefined],
    ] as const)
      assert.equal(variables(body, type).postArgAt('a'), undefined, `${body} as ${type}`)
    const long = variables('{"a":1}', JSON_TYPE, { postArgBytes: 6, graphqlBytes: MIB })
    assert.equal(long.postArgAt('a'), undefined)
  })

  it('bears a body of a million levels', () => {
    const deep = variables('['.repeat(500_000) + ']'.repeat(500_000), JSON_TYPE)
    assert.equal(deep.postArgAt('a'), undefined)
    assert.equal(deep.postArgAt('..*'), undefined)
  })
})

describe('graphql variables', () => {
  const read = (text: string, type = 'application/graphql') => variables(text, type).graphql
  const json = (query: unknown) => variables(JSON.stringify({ query }), JSON_TYPE).graphql

  it('tell name, operation and root fields of the first operation, from text and from JSON', () => {
    const query =
      'query getRepo($id: ID = "}") { owner(id: $id) { name } repo: repository { created } } mutation other { x }'
    const expected = { name: 'getRepo', operation: 'query', rootFields: ['owner', 'repository'] }
    assert.deepEqual(read(query), expected)
    assert.deepEqual(json(query), expected)
    assert.deepEqual(read('{ a }'), { name: '', operation: 'query', rootFields: ['a'] })
    assert.deepEqual(read('mutation { a b }'), { name: '', operation: 'mutation', rootFields: ['a', 'b'] })
  })

  it('look into fragments at the root, and are not led around by them', () => {
    const spread =
      'query { ...F ... on Query { c } } fragment F on Query { a ...G } fragment G on Query { b ...F }'
    assert.deepEqual(read(spread)?.rootFields, ['a', 'b', 'c'])
    assert.deepEqual(read('{ ...Missing x }')?.rootFields, ['x'])
    assert.equal(read('fragment F on Query { a }'), undefined)
  })

  it('have no value for what is not GraphQL, or too much of it', () => {
    assert.equal(read('query {'), undefined)
    assert.equal(read(''), undefined)
    assert.equal(json(7), undefined)
    assert.equal(variables('{"query":', JSON_TYPE).graphql, undefined)
    assert.equal(variables('null', JSON_TYPE).graphql, undefined)
    // Exactly that type holds JSON (contract §4.5).
    assert.equal(variables('{"query":"{a}"}', `${JSON_TYPE}; charset=utf-8`).graphql, undefined)
    assert.equal(read(`{ ${'a '.repeat(100_000)} }`), undefined)
    assert.equal(read('{a'.repeat(9000) + '}'.repeat(9000))?.rootFields.length ?? 1, 1)
    const limits = { postArgBytes: MIB, graphqlBytes: 4 }
    assert.equal(variables('{ a }', 'application/graphql', limits).graphql, undefined)
  })
})

describe('a text that names variables of the body', () => {
  it('is told from one that does not', () => {
    for (const text of ['post_arg_a', '$post_arg.a.b', '["graphql_name","==","x"]', 'graphql_root_fields'])
      assert.equal(namesBodyVariable(text), true, text)
    for (const text of ['http_post_args', 'post_args', 'graphql', 'arg_a', 'my_graphql_names'])
      assert.equal(namesBodyVariable(text), false, text)
  })
})
