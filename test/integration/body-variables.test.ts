import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { ask as askHttp2, connectHttp2 } from '../support/http2-client.ts'
import { rawConnect } from '../support/raw-client.ts'
import { eventually } from '../support/watch-recording.ts'

const PATIENCE_MS = 30_000
const JSON_TYPE = { 'content-type': 'application/json' }

/** A gateway with routes by their conditions; each answers with its name and the body that its node got. */
async function routed(
  t: TestContext,
  routes: Readonly<Record<string, Record<string, unknown>>>,
  settings: Record<string, unknown> = {},
) {
  const gateway = await startGateway(
    t,
    {},
    { settings: { 'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }], ...settings } },
  )
  for (const [id, route] of Object.entries(routes)) {
    const node = await fakeUpstream(t, (request, response) => {
      response.write(`${id}:`)
      request.pipe(response)
    })
    await gateway.put('routes', id, {
      uri: '/*',
      upstream: { nodes: { [node.address]: 1 } },
      ...route,
    } as never)
  }
  const post = async (
    body: NonNullable<RequestInit['body']>,
    headers: Record<string, string>,
    path = '/',
  ) => {
    const init = { method: 'POST', body, headers, duplex: 'half' } as RequestInit
    return (await fetch(gateway.proxyUrl + path, init)).text()
  }
  return { gateway, post }
}

const model = (value: string) => JSON.stringify({ model: value })

describe('routes by variables of the body', () => {
  it('are told apart by JSON, forms and parts, and their nodes get the body unchanged', async (t) => {
    const { gateway, post } = await routed(t, {
      gold: { priority: 2, vars: [['post_arg.model', '==', 'gold']] },
      form: { priority: 1, vars: [['post_arg_tier', '==', 'gold']] },
      listed: { priority: 1, vars: [['post_arg.items[*].id', 'has', 7]] },
      filtered: { priority: 1, filter_func: "function(vars) { return vars['post_arg.odd'] === true }" },
      rest: {},
    })
    assert.equal(await post(model('gold'), JSON_TYPE), `gold:${model('gold')}`)
    assert.equal(await post(model('tin'), JSON_TYPE), `rest:${model('tin')}`)
    const items = '{"items":[{"id":6},{"id":7}]}'
    assert.equal(await post(items, JSON_TYPE), `listed:${items}`)
    assert.equal(await post('{"odd":true}', JSON_TYPE), 'filtered:{"odd":true}')
    assert.equal(
      await post('tier=gold', { 'content-type': 'application/x-www-form-urlencoded' }),
      'form:tier=gold',
    )
    const parts = new FormData()
    parts.append('model', 'gold')
    assert.match(await (await fetch(gateway.proxyUrl, { method: 'POST', body: parts })).text(), /^gold:--/)
    assert.equal(await post('{"model":', JSON_TYPE), 'rest:{"model":')
    assert.equal(await (await fetch(gateway.proxyUrl)).text(), 'rest:')
  })

  it('are told apart in chunks and over HTTP/2', async (t) => {
    const { gateway, post } = await routed(t, {
      gold: { priority: 1, vars: [['post_arg.model', '==', 'gold']] },
      rest: {},
    })
    const chunks = new Blob([model('gold')]).stream()
    assert.equal(await post(chunks, JSON_TYPE), `gold:${model('gold')}`)
    const session = await connectHttp2(t, gateway.proxyUrl)
    const headers = { ':path': '/', ':method': 'POST', ...JSON_TYPE }
    assert.equal((await askHttp2(session, headers, model('gold'))).body, `gold:${model('gold')}`)
    assert.equal((await askHttp2(session, headers, model('tin'))).body, `rest:${model('tin')}`)
  })

  it('are told apart by GraphQL, in a body and in a query', async (t) => {
    const { gateway, post } = await routed(t, {
      owners: { priority: 2, vars: [['graphql_root_fields', 'has', 'owner']] },
      named: {
        priority: 1,
        vars: [
          ['graphql_operation', '==', 'mutation'],
          ['graphql_name', '==', 'pay'],
        ],
      },
      rest: {},
    })
    const body = JSON.stringify({ query: 'query { owner { name } }' })
    assert.equal(await post(body, JSON_TYPE), `owners:${body}`)
    const raw = 'mutation pay { charge }'
    assert.equal(await post(raw, { 'content-type': 'application/graphql' }), `named:${raw}`)
    const query = encodeURIComponent('{ owner }')
    assert.equal(await (await fetch(`${gateway.proxyUrl}/?query=${query}`)).text(), 'owners:')
    assert.equal(await post('{ other }', { 'content-type': 'application/graphql' }), 'rest:{ other }')
  })

  it('are not waited for by requests that another route takes', async (t) => {
    const { gateway } = await routed(t, {
      gold: { uri: '/gold', vars: [['post_arg.model', '==', 'gold']] },
      rest: {},
    })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('POST /other HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf')
    await client.until(/rest:[\s\S]*half/)
  })

  it('do not see bodies longer than the settings allow, which stream on', async (t) => {
    const { post } = await routed(
      t,
      { gold: { priority: 1, vars: [['post_arg.model', '==', 'gold']] }, rest: {} },
      { 'apisix.max_post_args_readable_size': 1, 'graphql.max_size': 1000 },
    )
    const long = JSON.stringify({ model: 'gold', text: 'x'.repeat(1024 * 1024) })
    assert.equal(await post(long, JSON_TYPE), `rest:${long}`)
    assert.equal(await post(new Blob([long]).stream(), JSON_TYPE), `rest:${long}`)
  })

  it('ask a client that waits to be asked, and answer one that sends too much', async (t) => {
    const { gateway } = await routed(
      t,
      { gold: { vars: [['post_arg.model', '==', 'gold']] } },
      { 'nginx_config.http.client_max_body_size': 100 },
    )
    const waiting = await rawConnect(t, gateway.proxyPort)
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
    waiting.send(`${head}Expect: 100-continue\r\nContent-Length: 16\r\n\r\n`)
    await waiting.until(/^HTTP\/1\.1 100 Continue\r\n\r\n/)
    waiting.send(model('gold'))
    await waiting.until(/HTTP\/1\.1 200 [\s\S]*gold:/)
    const much = await rawConnect(t, gateway.proxyPort)
    much.send(`${head}Transfer-Encoding: chunked\r\n\r\nff\r\n${'x'.repeat(255)}\r\n`)
    await much.until(/^HTTP\/1\.1 413 /)
  })

  it('cost nothing that stays when a client leaves before its body was read', async (t) => {
    const { gateway, post } = await routed(t, { gold: { vars: [['post_arg.model', '==', 'gold']] } })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{')
    const connections = async () => {
      const url = `http://127.0.0.1:${gateway.addresses.metrics!.port}/apisix/prometheus/metrics`
      return /^gatewright_client_connections (\d+)$/m.exec(await (await fetch(url)).text())?.[1]
    }
    await eventually('it is connected', async () => (await connections()) === '1', PATIENCE_MS)
    client.socket.destroy()
    await eventually('it is gone', async () => (await connections()) === '0', PATIENCE_MS)
    assert.equal(await post(model('gold'), JSON_TYPE), `gold:${model('gold')}`)
    const errors = gateway.logs.filter(({ level }) => level === 50 || level === 'error')
    assert.deepEqual(errors, [])
  })

  it('are matched with what is configured once the body has come', async (t) => {
    const { gateway } = await routed(t, { old: { vars: [['post_arg.model', '==', 'gold']] } })
    const node = await fakeUpstream(t, (_request, response) => response.end('new'))
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n')
    for (let i = 0; i < 3; i++) {
      await gateway.put('routes', 'old', {
        uri: '/*',
        vars: [['post_arg.model', '==', 'gold']],
        upstream: { nodes: { [node.address]: 1 } },
      })
    }
    client.send(model('gold'))
    await client.until(/^HTTP\/1\.1 200 [\s\S]*new/)
  })
})

describe('plugins whose configurations name variables of the body', () => {
  it('find it read, in conditions, templates and logs', async (t) => {
    const { gateway } = await routed(t, {
      r: {
        plugins: {
          'fault-injection': {
            abort: { http_status: 451, vars: [[['post_arg.model', '==', 'banned']]] },
          },
          'response-rewrite': {
            headers: { set: { 'X-Model': '$post_arg_model' } },
          },
        },
      },
    })
    const banned = await fetch(gateway.proxyUrl, {
      method: 'POST',
      body: model('banned'),
      headers: JSON_TYPE,
    })
    assert.equal(banned.status, 451)
    const body = new URLSearchParams({ model: 'tin' })
    const served = await fetch(gateway.proxyUrl, { method: 'POST', body })
    assert.deepEqual([served.headers.get('x-model'), await served.text()], ['tin', 'r:model=tin'])
  })

  it('choose an upstream, a limit, and what is logged, by it', async (t) => {
    const canary = await fakeUpstream(t, (request, response) => {
      request.resume().on('end', () => response.end('canary'))
    })
    const directory = await mkdtemp(join(tmpdir(), 'gatewright-test-'))
    t.after(() => rm(directory, { recursive: true, force: true }))
    const path = join(directory, 'entries.log')
    const match = [{ vars: [['post_arg.model', '==', 'gold']] }]
    const split = [{ match, weighted_upstreams: [{ upstream: { nodes: { [canary.address]: 1 } } }] }]
    const tin = [['post_arg.model', '==', 'tin']]
    const { post } = await routed(t, {
      r: {
        plugins: {
          'traffic-split': { rules: split },
          workflow: {
            rules: [{ case: [['post_arg.model', '==', 'lead']], actions: [['return', { code: 403 }]] }],
          },
          'file-logger': { path, include_req_body: true, include_req_body_expr: tin },
        },
      },
    })
    assert.equal(await post(model('gold'), JSON_TYPE), 'canary')
    assert.match(await post(model('lead'), JSON_TYPE), /rejected by workflow/)
    assert.equal(await post(model('tin'), JSON_TYPE), `r:${model('tin')}`)
    const lines = () => (existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : [])
    await eventually('all three are logged', () => lines().length === 3, PATIENCE_MS)
    const bodies = lines().map((line) => JSON.parse(line).request.body)
    assert.deepEqual(
      bodies.filter((body) => body !== undefined),
      [model('tin')],
    )
  })
})
