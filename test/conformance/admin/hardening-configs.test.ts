import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { ADMIN_KEY, startGateway } from '../../../src/testing/start-gateway.ts'
import { DEEP } from './hardening-stage.ts'

const MARK = 'markedsecret'
const JSON_TYPE = 'application/json'
const YAML_TYPE = 'application/yaml'

/** A gateway whose configuration is handed over as a whole and serves `/steady`. */
async function start(t: TestContext) {
  const { address } = await fakeUpstream(t)
  const gateway = await startGateway(
    t,
    {},
    {
      settings: {
        'gatewright.store': 'auto',
        'deployment.role': 'traditional',
        'deployment.role_traditional.config_provider': 'yaml',
      },
    },
  )
  const url = `http://127.0.0.1:${gateway.addresses.admin!.port}/apisix/admin/configs`
  let puts = 0
  const put = async (body: string, headers: Record<string, string> = {}) => {
    const key: Record<string, string> = 'cookie' in headers ? {} : { 'x-api-key': ADMIN_KEY }
    const all = { ...key, 'content-type': JSON_TYPE, 'x-digest': `${++puts}`, ...headers }
    const response = await fetch(url, { method: 'PUT', headers: all, body })
    const text = await response.text()
    await gateway.gateway.settled()
    return { status: response.status, text }
  }
  const steady = { id: 'steady', uri: '/steady', upstream: { nodes: { [address]: 1 } } }
  assert.equal((await put(JSON.stringify({ routes: [steady] }))).status, 202)
  return {
    steady,
    put,
    shown: async () => (await fetch(url, { headers: { 'x-api-key': ADMIN_KEY } })).text(),
    assertServing: async () => assert.equal((await fetch(`${gateway.proxyUrl}/steady`)).status, 200),
    logText: () => gateway.logs.map((line) => JSON.stringify(line)).join('\n'),
  }
}

const route = (more: object) => JSON.stringify({ routes: [{ id: 'a', uri: '/a', ...more }] })
const aliases = (levels: number) =>
  Array.from({ length: levels }, (_, i) => `l${i}: &l${i} [${i ? `${`*l${i - 1}, `.repeat(9)}` : '1'}]`).join(
    '\n',
  )

const REFUSED: readonly (readonly [what: string, body: string, headers?: Record<string, string>])[] = [
  ['a plugin that is wrong', route({ plugins: { 'limit-count': { count: -1 } } })],
  ['a plugin nobody knows', route({ plugins: { nobody: {} } })],
  [
    'a group with a wrong plugin',
    `{"consumer_groups":[{"id":"g","plugins":{"limit-count":{"count":"${MARK}"}}}]}`,
  ],
  ['a key that is none', `{"consumers":[{"username":"x","plugins":{"key-auth":{"key":["${MARK}"]}}}]}`],
  [
    'a private key that is none',
    `{"ssls":[{"id":"s","sni":"a","cert":"${'c'.repeat(128)}","key":"${MARK.repeat(20)}"}]}`,
  ],
  ['a prototype', '{"routes":[{"id":"a","uri":"/a","__proto__":{"polluted":1}}]}'],
  ['a constructor', '{"routes":[{"id":"a","uri":"/a","constructor":{"prototype":{"polluted":1}}}]}'],
  ['an id that is a path', route({ id: '../services/1' })],
  ['an id of NUL', route({ id: '\0' })],
  ['an id that is too long', route({ id: 'a'.repeat(2000) })],
  ['one id twice', '{"routes":[{"id":"a","uri":"/a"},{"id":"a","uri":"/b"}]}'],
  ['too many levels', `{"routes":[{"id":"a","uri":"/a","labels":${DEEP(1001)}}]}`],
  ['very many levels', `{"routes":[${DEEP(100_000)}]}`],
  ['a number beyond all', '{"routes":[{"id":"a","uri":"/a","priority":1e400}]}'],
  ['no JSON', `{"consumers":[{"username":"${MARK}"`],
  ['a member that comes again and is wrong', '{"routes":[],"routes":[{"id":"a","uri":1}]}'],
  ['aliases without end', aliases(12), { 'content-type': YAML_TYPE }],
  ['an alias of itself', 'routes: &a [*a]', { 'content-type': YAML_TYPE }],
  ['a tag', 'routes: [!!js/function "function () {}"]', { 'content-type': YAML_TYPE }],
  [
    'a prototype in YAML',
    'routes:\n  - id: a\n    uri: /a\n    __proto__: {polluted: 1}',
    { 'content-type': YAML_TYPE },
  ],
  ['a page of another site', '{}', { cookie: `x_api_key=${ADMIN_KEY}`, origin: 'http://evil.test' }],
]

describe('a whole configuration', () => {
  for (const [what, body, headers] of REFUSED) {
    it(`with ${what} is refused and replaces nothing`, async (t) => {
      const { put, shown, assertServing, logText } = await start(t)
      const before = await shown()
      const { status, text } = await put(body, headers)
      assert.ok(status >= 400 && status < 500, `${status} ${text.slice(0, 300)}`)
      assert.equal(await shown(), before)
      assert.equal(({} as { polluted?: unknown }).polluted, undefined)
      for (const place of [text, logText()]) assert.ok(!place.includes(MARK))
      await assertServing()
    })
  }

  it('in which a list comes twice is the last one, for the checks and for what serves', async (t) => {
    const { put, shown, steady, assertServing } = await start(t)
    const { status } = await put(`{"routes":[{"id":"a","uri":1}],"routes":[${JSON.stringify(steady)}]}`)
    assert.equal(status, 202)
    assert.deepEqual(
      JSON.parse(await shown()).routes.map(({ id }: { id: string }) => id),
      ['steady'],
    )
    await assertServing()
  })
})
