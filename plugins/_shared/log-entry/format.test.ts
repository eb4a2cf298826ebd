import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileFormat } from './format.ts'

const VALUES: Readonly<Record<string, unknown>> = {
  host: 'a.test',
  status: '200',
  request_time: '0.012',
  server_port: '9080',
  http_x_number: '007',
  'post_arg.user.name': 'ann',
  upstream_response_time: undefined,
}
const source = { var: (name: string) => VALUES[name] }

function render(format: Record<string, unknown>) {
  return compileFormat(format).render(source)
}

describe('a log format', () => {
  it('takes texts as they are and fills variables in', () => {
    assert.deepEqual(render({ env: 'prod', host: '$host', name: '$post_arg.user.name', braces: '${host}' }), {
      env: 'prod',
      host: 'a.test',
      name: 'ann',
      braces: 'a.test',
    })
  })

  it('leaves out what has no value', () => {
    assert.deepEqual(render({ none: '$http_nobody', time: '$upstream_response_time' }), {})
  })

  it('makes numbers of the variables that are numbers in APISIX, and of no others', () => {
    assert.deepEqual(
      render({ status: '$status', time: '$request_time', port: '$server_port', header: '$http_x_number' }),
      { status: 200, time: 0.012, port: '9080', header: '007' },
    )
  })

  it('reaches into objects and lists', () => {
    assert.deepEqual(
      render({ a: { b: { c: { d: '$host' } } }, list: ['$status', { host: '$host' }, 1, true] }),
      {
        a: { b: { c: { d: 'a.test' } } },
        list: [200, { host: 'a.test' }, 1, true],
      },
    )
  })

  it('is five levels deep; what is deeper is left out', () => {
    const five = { a: { b: { c: { d: { e: '$host' } } } } }
    const six = { a: { b: { c: { d: { e: { f: '$host' } } } } } }
    assert.deepEqual(render(five), { a: { b: { c: { d: { e: 'a.test' } } } } })
    assert.deepEqual(render(six), { a: { b: { c: { d: {} } } } })
  })

  it('knows which variables it names', () => {
    const format = compileFormat({ a: { b: '$request_body' }, c: 'request_length' })
    assert.equal(format.names('request_body'), true)
    assert.equal(format.names('request_length'), false)
  })

  it('may name a field __proto__', () => {
    const entry = render(JSON.parse('{"__proto__": "$host"}'))
    assert.equal(JSON.stringify(entry), '{"__proto__":"a.test"}')
    assert.equal(Object.getPrototypeOf(entry), Object.prototype)
  })
})
