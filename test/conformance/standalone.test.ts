import assert from 'node:assert/strict'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { stringify } from 'yaml'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { eventually } from '../support/watch-recording.ts'

type Format = 'yaml' | 'json'

/** A data plane whose configuration is a file beside its settings. */
function startStandalone(t: TestContext, text: string, format: Format = 'yaml'): Promise<TestGateway> {
  return startGateway(
    t,
    {},
    {
      files: { [`apisix.${format}`]: text },
      settings: {
        'gatewright.store': 'auto',
        'deployment.role': 'data_plane',
        'deployment.role_data_plane.config_provider': format,
      },
    },
  )
}

function textOf(document: unknown, format: Format = 'yaml'): string {
  return format === 'json' ? JSON.stringify(document) : `${stringify(document)}#END\n`
}

/** As editors do it: the file is replaced. */
async function replaceFile({ directory }: TestGateway, text: string, format: Format = 'yaml'): Promise<void> {
  await writeFile(join(directory, 'next'), text)
  await rename(join(directory, 'next'), join(directory, `apisix.${format}`))
}

async function setUp(t: TestContext) {
  const { port } = await fakeUpstream(t)
  const upstream = { nodes: { [`127.0.0.1:${port}`]: 1 } }
  return { port, upstream, route: (uri: string, more: object = {}) => ({ uri, upstream, ...more }) }
}

async function statusOf({ proxyUrl }: TestGateway, path: string, headers = {}): Promise<number> {
  const response = await fetch(proxyUrl + path, { headers })
  await response.text()
  return response.status
}

async function control<T = { key: string }[]>({ addresses }: TestGateway, path: string): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${addresses.control!.port}/v1/${path}`)
  return (await response.json()) as T
}

async function quarantined(gateway: TestGateway): Promise<string[]> {
  const sync = await control<{ quarantined: { kind: string; id: string }[] }>(gateway, 'sync')
  return sync.quarantined.map(({ kind, id }) => `${kind}/${id}`)
}

for (const format of ['yaml', 'json'] as const) {
  describe(`apisix.${format}`, () => {
    it('is served, and served anew when it is replaced', async (t) => {
      const { route } = await setUp(t)
      const gateway = await startStandalone(t, textOf({ routes: [route('/a'), route('/b')] }, format), format)
      assert.equal(await statusOf(gateway, '/a'), 200)
      assert.equal(await statusOf(gateway, '/c'), 404)
      await replaceFile(gateway, textOf({ routes: [route('/b'), route('/c')] }, format), format)
      await eventually('the new file', async () => (await statusOf(gateway, '/c')) === 200)
      assert.equal(await statusOf(gateway, '/a'), 404)
      assert.equal(await statusOf(gateway, '/b'), 200)
    })

    it('names items after id, username or place, and its keys have no prefix', async (t) => {
      const { route, upstream } = await setUp(t)
      const routes = [route('/a'), route('/b', { id: 'named' })]
      const document = { routes, upstreams: [{ ...upstream, id: 7 }] }
      const gateway = await startStandalone(t, textOf(document, format), format)
      assert.deepEqual((await control(gateway, 'routes')).map(({ key }) => key).sort(), [
        '/routes/arr_1',
        '/routes/named',
      ])
      assert.deepEqual(
        (await control(gateway, 'upstreams')).map(({ key }) => key),
        ['/upstreams/7'],
      )
    })

    it('resolves references between its items', async (t) => {
      const { upstream } = await setUp(t)
      const document = {
        upstreams: [{ ...upstream, id: 1 }],
        services: [{ id: 'api', upstream_id: 1 }],
        routes: [{ uri: '/a', service_id: 'api' }],
      }
      assert.equal(await statusOf(await startStandalone(t, textOf(document, format), format), '/a'), 200)
    })

    it('holds credentials as consumers whose id names consumer and credential', async (t) => {
      const { route } = await setUp(t)
      const document = {
        routes: [route('/a', { plugins: { 'key-auth': {} } })],
        consumers: [
          { username: 'jack' },
          { id: 'jack/credentials/first', plugins: { 'key-auth': { key: 'one' } } },
          { id: 'jack/credentials/second', plugins: { 'key-auth': { key: 'two' } } },
        ],
      }
      const gateway = await startStandalone(t, textOf(document, format), format)
      assert.equal(await statusOf(gateway, '/a'), 401)
      assert.equal(await statusOf(gateway, '/a', { apikey: 'one' }), 200)
      assert.equal(await statusOf(gateway, '/a', { apikey: 'two' }), 200)
    })

    it('loses an item that cannot be used, and only that', async (t) => {
      const { route } = await setUp(t)
      const routes = [
        route('/unknown-plugin', { plugins: { 'no-such-plugin': {} } }),
        route('/bad-plugin', { plugins: { 'limit-count': { count: -1, time_window: 1 } } }),
        route('/bad-type', { priority: 'high' }),
        'no object',
        route('/good'),
      ]
      const gateway = await startStandalone(t, textOf({ routes }, format), format)
      assert.equal(await statusOf(gateway, '/good'), 200)
      for (const path of ['/unknown-plugin', '/bad-plugin', '/bad-type']) {
        assert.equal(await statusOf(gateway, path), 404, path)
      }
      assert.deepEqual((await quarantined(gateway)).sort(), [
        'routes/arr_1',
        'routes/arr_2',
        'routes/arr_3',
        'routes/arr_4',
      ])
    })

    it('overrides the list of plugins of the settings', async (t) => {
      const { route } = await setUp(t)
      const routes = [
        route('/enabled', { plugins: { 'response-rewrite': { status_code: 202 } } }),
        route('/disabled', { plugins: { 'request-id': {} } }),
      ]
      const plugins = [{ name: 'response-rewrite' }, { name: 'mqtt-proxy', stream: true }]
      const gateway = await startStandalone(t, textOf({ plugins, routes }, format), format)
      await eventually('the list', async () => (await statusOf(gateway, '/disabled')) === 404)
      assert.equal(await statusOf(gateway, '/enabled'), 202)
      await replaceFile(gateway, textOf({ routes }, format), format)
      await eventually('the list of the settings', async () => (await statusOf(gateway, '/disabled')) === 200)
    })

    it('has no admin API beside it', async (t) => {
      const gateway = await startStandalone(t, textOf({ routes: [] }, format), format)
      assert.equal(gateway.addresses.admin, undefined)
    })
  })
}

describe('variables in a file', () => {
  const NAME = 'GATEWRIGHT_STANDALONE_TEST'

  function setVariable(t: TestContext, value: string): void {
    process.env[NAME] = value
    t.after(() => {
      delete process.env[NAME]
    })
  }

  it('are put into the text of YAML before it is read, so that quotes decide the type', async (t) => {
    const { port } = await setUp(t)
    setVariable(t, String(port))
    const upstream = `{nodes: [{host: 127.0.0.1, port: \${{${NAME}}}, weight: \${{NO_SUCH_VARIABLE:=1}}}]}`
    const good = `  - {id: "\${{${NAME}}}", uri: /good, upstream: ${upstream}}`
    const bad = `  - {id: quoted, uri: /bad, priority: "\${{${NAME}}}", upstream: ${upstream}}`
    const gateway = await startStandalone(t, `routes:\n${good}\n${bad}\n#END\n`)
    assert.equal(await statusOf(gateway, '/good'), 200)
    assert.deepEqual(await quarantined(gateway), ['routes/quoted'])
    assert.deepEqual(
      (await control(gateway, 'routes')).map(({ key }) => key),
      [`/routes/${port}`],
    )
  })

  it('are put into the values of JSON after it is read, and become the numbers and truth values they look like', async (t) => {
    const { port } = await setUp(t)
    setVariable(t, String(port))
    const nodes = [{ host: '127.0.0.1', port: `\${{${NAME}}}`, weight: 1 }]
    const routes = [
      { uri: '/number', upstream: { nodes } },
      { uri: '/truth', enable_websocket: `\${{NO_SUCH_VARIABLE:=true}}`, upstream: { nodes } },
      { uri: '/plain', priority: '5', upstream: { nodes } },
    ]
    const gateway = await startStandalone(t, JSON.stringify({ routes }), 'json')
    assert.equal(await statusOf(gateway, '/number'), 200)
    assert.equal(await statusOf(gateway, '/truth'), 200)
    assert.equal(await statusOf(gateway, '/plain'), 404, 'a text without a variable stays a text')
  })
})

describe('a file that cannot be used', () => {
  const BROKEN: readonly [rule: string, text: string][] = [
    ['has no end mark', 'routes: []\n'],
    ['is not YAML', 'routes: [\n#END\n'],
    ['names a variable that is not set', 'routes:\n  - uri: ${{NO_SUCH_VARIABLE}}\n#END\n'],
    ['has nothing before its end mark', '#END\n'],
  ]
  for (const [rule, text] of BROKEN) {
    it(`leaves what is served as it is when it ${rule}`, async (t) => {
      const { route } = await setUp(t)
      const gateway = await startStandalone(t, textOf({ routes: [route('/a')] }))
      await replaceFile(gateway, text)
      const isRefused = () =>
        gateway.logs.some(({ msg }) => String(msg).includes('cannot be used; the last good'))
      await eventually('the file to be refused', isRefused)
      assert.equal(await statusOf(gateway, '/a'), 200)
      await replaceFile(gateway, textOf({ routes: [route('/b')] }))
      await eventually('a good file', async () => (await statusOf(gateway, '/b')) === 200)
    })
  }
})
