import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RESOURCES } from '../../../admin/api/resources.ts'
import { ADMIN_KEY } from '../../../src/testing/start-gateway.ts'
import { assertRefused, DEEP, GOOD, ROUTE, type Stage, stage } from './hardening-stage.ts'

/** Ids that are paths, names with a meaning, too long, or no text. */
const HOSTILE_IDS = [
  '../x',
  '../../x',
  './x',
  '%2e%2e',
  '%2e',
  '%2e%2e%2fx',
  '..%5cx',
  'a%2fb',
  'a%2f..%2f..%2fgen_id',
  '%252e%252e',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'a%00b',
  '%00',
  '%0a',
  '%20',
  '%ff',
  '%zz',
  '%F0%9F%92%A5',
  '%E2%80%AE',
  '%ED%A0%80',
  'a'.repeat(64),
  'a'.repeat(65),
  'a'.repeat(1024),
  'a'.repeat(8000),
  'x?force=true',
]
const METHODS = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE']

describe('every resource of the Admin API', () => {
  for (const kind of RESOURCES.keys()) {
    it(`has a document here: ${kind}`, async (t) => {
      const { base, document, id } = GOOD[kind]!
      const { send, keys } = await stage(t)
      const before = await keys()
      const { status, text } = await send('PUT', `${base}/${id}`, document)
      assert.equal(status, 201, text)
      assert.equal((await keys()).length, before.length + 1)
    })

    it(`keeps hostile ids in its own directory: ${kind}`, async (t) => {
      const { base, document, id } = GOOD[kind]!
      const world = await stage(t)
      await world.send('PUT', `${base}/${id}`, document)
      const before = await world.content()
      for (const hostile of HOSTILE_IDS) await attackId(world, { base, hostile, document })
      assert.deepEqual(await world.content(), before, 'what was there is still there, and nothing else')
      await world.assertServing()
    })

    it(`takes no pollution, no odd depth and no odd numbers: ${kind}`, async (t) => {
      const { base, document, id } = GOOD[kind]!
      const world = await stage(t)
      await world.send('PUT', `${base}/${id}`, document)
      for (const { method, path = '', body } of attacksOn(document)) {
        await assertRefused(world, method, base + (method === 'POST' ? '' : `/${id}${path}`), body)
      }
      await world.assertServing()
    })
  }
})

/** All methods on one id: no server error; what is created lies right in the directory of the kind, and is taken away again. */
async function attackId(
  { send, content, directories, store }: Stage,
  { base, hostile, document }: { base: string; hostile: string; document: object },
): Promise<void> {
  const before = await content()
  for (const method of METHODS) {
    const bodies: Record<string, object> = { PUT: document, POST: document, PATCH: {} }
    const earlier = await content()
    const { status, text } = await send(method, `${base}/${hostile}`, bodies[method])
    const what = `${method} ${base}/${hostile.slice(0, 80)}`
    assert.ok(status < 500, `${what} was answered with ${status} ${text}`)
    const later = await content()
    if (status >= 400) assert.deepEqual(later, earlier, `${what} was refused but changed something`)
    const isInPlace = (key: string) => key in before || directories.some((one) => one.test(key))
    assert.deepEqual(
      Object.keys(later).filter((key) => !isInPlace(key)),
      [],
      what,
    )
    const missing = Object.keys(before).filter((key) => !(key in later))
    assert.deepEqual(missing, [], `${what} took another one away`)
  }
  for (const key of Object.keys(await content())) if (!(key in before)) await store.delete(key)
}

interface Attack {
  readonly method: string
  /** Below the id. */
  readonly path?: string
  readonly body: string
}

function attacksOn(document: object): Attack[] {
  const withMember = (member: string) => `${JSON.stringify(document).slice(0, -1)},${member}}`
  const methods = ['PUT', 'POST', 'PATCH']
  const stamped = withMember('"create_time":1')
  const members = [
    '"labels":{"a":1e400}',
    `"labels":${DEEP(1000)}`,
    `"labels":${'['.repeat(5000)}${']'.repeat(5000)}`,
    '"__proto__":{"polluted":1},"labels":1e400',
  ]
  return [
    ...methods.flatMap((method) => members.map((member) => ({ method, body: withMember(member) }))),
    { method: 'PUT', body: stamped },
    { method: 'POST', body: stamped },
    { method: 'PATCH', path: '/__proto__/polluted', body: '1e400' },
    { method: 'PATCH', path: '/labels', body: DEEP(1001) },
  ]
}

describe('a prototype', () => {
  const attacks: readonly (readonly [method: string, path: string, body: string])[] = [
    ['PUT', '/routes/steady', '{"uri":"/steady","plugins":{},"__proto__":{"polluted":1}}'],
    ['PATCH', '/routes/steady', '{"__proto__":{"polluted":1}}'],
    ['PATCH', '/routes/steady', '{"constructor":{"prototype":{"polluted":1}}}'],
    ['PATCH', '/routes/steady', '{"upstream":{"__proto__":{"polluted":1}}}'],
    ['PATCH', '/routes/steady', '{"plugins":{"__proto__":{"polluted":1}}}'],
    ['PATCH', '/routes/steady/__proto__', '{"polluted":1}'],
    ['PATCH', '/routes/steady/__proto__/polluted', '1'],
    ['PATCH', '/routes/steady/constructor/prototype/polluted', '1'],
    ['PATCH', '/routes/steady/upstream/__proto__/polluted', '1'],
    ['PATCH', '/routes/steady/plugins/__proto__/polluted', '1'],
    ['PATCH', '/routes/steady/plugins/constructor', '{"prototype":{"polluted":1}}'],
  ]
  for (const [method, path, body] of attacks) {
    it(`is not reached by ${method} ${path} ${body}`, async (t) => {
      const world = await stage(t)
      await assertRefused(world, method, path, body)
      await world.assertServing()
    })
  }

  for (const [what, path, body] of [
    ['a plugin', '/plugins/response-rewrite', '{"headers":{"__proto__":{"polluted":1}}}'],
    ['labels', '/labels', '{"__proto__":"polluted","constructor":"b"}'],
    ['labels, by a sub-path', '/labels/__proto__', '"polluted"'],
  ] as const) {
    it(`is not reached through names that ${what} may have`, async (t) => {
      const world = await stage(t)
      const { status } = await world.send('PATCH', `/routes/steady${path}`, body)
      assert.ok(status < 500)
      assert.equal(({} as { polluted?: unknown }).polluted, undefined)
      await world.assertServing()
    })
  }
})

describe('one key twice in a body', () => {
  const BAD = '"plugins":{"limit-count":{"count":-1}}'
  const TARGET = '"upstream_id":"steady"'

  it('means the last one, for the checks and for what is stored', async (t) => {
    const { send } = await stage(t)
    const { status } = await send(
      'PUT',
      '/routes/1',
      `{"uri":"/first",${BAD},"uri":"/last","plugins":{},${TARGET}}`,
    )
    assert.equal(status, 201)
    const { value } = JSON.parse((await send('GET', '/routes/1')).text)
    assert.deepEqual([value.uri, value.plugins], ['/last', {}])
  })

  it('cannot hide what is not allowed', async (t) => {
    const world = await stage(t)
    await assertRefused(world, 'PUT', '/routes/1', `{"uri":"/a","plugins":{},${BAD},${TARGET}}`)
    await assertRefused(world, 'PUT', '/routes/1', `{"id":"1","uri":"/a",${TARGET},"id":"2"}`)
    await assertRefused(world, 'PATCH', '/routes/steady', `{"plugins":{},${BAD}}`)
  })
})

describe('numbers that no one needs', () => {
  for (const [what, body] of [
    ['a weight', { ...ROUTE, upstream: { nodes: { '127.0.0.1:1': 1e300 } } }],
    ['a priority', { ...ROUTE, priority: Number.MAX_VALUE }],
    ['a negative priority', { ...ROUTE, priority: -Number.MAX_VALUE }],
    ['an id', { ...ROUTE, id: 1e21 }],
    ['a time', { ...ROUTE, timeout: { connect: 1e300, send: 1e300, read: 1e300 } }],
    ['retries', { ...ROUTE, upstream: { nodes: { '127.0.0.1:1': 1 }, retries: 1e15 } }],
  ] as const) {
    it(`harm nothing as ${what}`, async (t) => {
      const world = await stage(t)
      const { status } = await world.send('PUT', 'id' in body ? '/routes' : '/routes/1', body)
      assert.ok(status < 500)
      await world.ask('/a')
      await world.assertServing()
    })
  }
})

describe('a page of another site', () => {
  const cookie = `x_api_key=${ADMIN_KEY}`
  const body = { uri: '/a', upstream_id: 'steady' }
  const foreign: readonly Record<string, string>[] = [
    { cookie, 'sec-fetch-site': 'cross-site' },
    { cookie, 'sec-fetch-site': 'cross-site', 'content-type': 'text/plain' },
    { cookie, origin: 'http://evil.test' },
    { cookie, origin: 'null' },
  ]
  for (const headers of foreign) {
    it(`is refused although the browser sends the cookie: ${JSON.stringify(Object.entries(headers).slice(1))}`, async (t) => {
      const world = await stage(t)
      const before = await world.content()
      for (const method of METHODS) {
        const path = method === 'POST' ? '/routes' : '/routes/steady'
        const { status } = await world.send(method, path, body, { 'x-api-key': undefined, ...headers })
        assert.equal(status, 403, method)
      }
      assert.deepEqual(await world.content(), before)
      await world.assertServing()
    })
  }

  for (const headers of [
    { cookie },
    { cookie, 'sec-fetch-site': 'same-origin' },
    { cookie, 'sec-fetch-site': 'same-site', origin: 'http://console.test' },
    { cookie, origin: 'http://127.0.0.1:1234' },
  ] as Record<string, string>[]) {
    it(`is not what sends ${JSON.stringify(Object.entries(headers).slice(1))}`, async (t) => {
      const { send } = await stage(t)
      assert.equal((await send('PUT', '/routes/1', body, { 'x-api-key': undefined, ...headers })).status, 201)
    })
  }
})
