import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream, rawUpstream, refusingAddress } from '../../src/testing/fake-upstream.ts'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import type { RequestInit } from '../../src/testing/plugin-request.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import opa from './index.ts'

type Config = Record<string, unknown>

interface Input {
  readonly type: string
  readonly request: Record<string, unknown>
  readonly var: Record<string, unknown>
  readonly route?: unknown
  readonly service?: unknown
  readonly consumer?: unknown
}

/** An agent that answers `text` to everything, and the plugin that asks it. */
async function mounted(t: TestContext, text: string, config: Config = {}) {
  const inputs: Input[] = []
  const agent = await fakeUpstream(t, async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    inputs.push((JSON.parse(body) as { input: Input }).input)
    response.end(text)
  })
  const plugin = mountPlugin(opa, { host: `http://${agent.address}`, policy: 'example/policy', ...config })
  return { agent, inputs, plugin }
}

const result = (decision: Record<string, unknown>) => JSON.stringify({ result: decision })
const ALLOWED = result({ allow: true })

describe('the question', () => {
  it('is put to the policy and describes the request', async (t) => {
    const { agent, inputs, plugin } = await mounted(t, ALLOWED)
    await plugin.request({
      method: 'PUT',
      target: '/a%20b?x=1&y=a+b&x=%32&flag&empty=',
      headers: { 'X-One': '1', 'X-Two': ['1', '2'] },
    })
    assert.equal(agent.requests[0]?.method, 'POST')
    assert.equal(agent.requests[0]?.url, '/v1/data/example/policy')
    assert.equal(agent.requests[0]?.headers['content-type'], 'application/json')
    assert.deepEqual(inputs[0], {
      type: 'http',
      request: {
        scheme: 'http',
        method: 'PUT',
        host: 'gateway.test',
        port: 9080,
        path: '/a b',
        headers: { host: 'gateway.test', 'x-one': '1', 'x-two': ['1', '2'] },
        query: { x: ['1', '2'], y: 'a b', flag: true, empty: '' },
      },
      var: {
        server_addr: '192.0.2.254',
        server_port: '9080',
        remote_addr: '192.0.2.1',
        remote_port: '40000',
        timestamp: Date.UTC(2026, 0, 1) / 1000,
      },
    })
  })

  it('has an empty table for no query, and names of any kind in it are data', async (t) => {
    const { inputs, plugin } = await mounted(t, ALLOWED)
    await plugin.request()
    await plugin.request({ target: '/?__proto__=1&constructor&%zz=%zz' })
    assert.deepEqual(inputs[0]?.request['query'], {})
    assert.deepEqual(
      JSON.stringify(inputs[1]?.request['query']),
      '{"__proto__":"1","constructor":true,"%zz":"%zz"}',
    )
  })

  it('tells of route, service and consumer when it is told to', async (t) => {
    const about = { with_route: true, with_service: true, with_consumer: true }
    const { inputs, plugin } = await mounted(t, ALLOWED, about)
    await plugin.request({
      route: { id: 'r7', name: 'seven', serviceId: 's1', serviceName: 'one', host: 'a.test' },
      consumer: { name: 'jack', groupId: 'g', labels: { team: 'x' } },
    })
    await plugin.request()
    assert.deepEqual(inputs[0]?.route, {
      id: 'r7',
      name: 'seven',
      uri: '/*',
      host: 'a.test',
      service_id: 's1',
    })
    assert.deepEqual(inputs[0]?.service, { id: 's1', name: 'one' })
    assert.deepEqual(inputs[0]?.consumer, {
      username: 'jack',
      group_id: 'g',
      labels: { team: 'x' },
      consumer_name: 'jack',
    })
    assert.equal(inputs[1]?.service, undefined)
    assert.equal(inputs[1]?.consumer, undefined)
  })
})

describe('what is stored', () => {
  const SECRET = 'hidden-from-the-agent'
  const OPA = { policy: 'p', with_route: true, with_service: true, with_consumer: true }

  /** A gateway whose route asks an agent; `ask` gives what the agent is told. */
  async function asked(t: TestContext) {
    let text = ''
    const agent = await fakeUpstream(t, async (request, response) => {
      text = ''
      for await (const chunk of request) text += chunk
      response.end(ALLOWED)
    })
    const upstream = await fakeUpstream(t, (_, response) => response.end())
    const gateway = await startGateway(t)
    const ask = async (headers: Record<string, string>) => {
      const response = await fetch(gateway.proxyUrl, { headers })
      assert.equal(response.status, 200)
      return { text, input: (JSON.parse(text) as { input: Input }).input }
    }
    const nodes = { type: 'roundrobin', nodes: { [upstream.address]: 1 } }
    return { gateway, ask, nodes, opa: { host: `http://${agent.address}`, ...OPA } }
  }

  it('of route, service and consumer is told with defaults and without secrets', async (t) => {
    const { gateway, ask, nodes, opa } = await asked(t)
    await gateway.put('services', 's', {
      name: 'shop',
      labels: { tier: '1' },
      upstream: nodes,
      plugins: { csrf: { key: SECRET } },
    })
    await gateway.put('consumers', 'jack', {
      username: 'jack',
      desc: 'of sales',
      labels: { team: 'x' },
      plugins: { 'key-auth': { key: SECRET }, 'jwt-auth': { key: 'jack', secret: '$env://JACKS_SECRET' } },
    })
    await gateway.put('consumers', 'jack/credentials/c1', { plugins: { 'key-auth': { key: `${SECRET}-2` } } })
    const limit = {
      count: 9,
      time_window: 60,
      policy: 'redis',
      redis_host: '127.0.0.1',
      redis_port: 1,
      redis_password: SECRET,
    }
    await gateway.put('routes', '1', {
      uri: '/*',
      labels: { team: 'y' },
      service_id: 's',
      plugins: {
        opa,
        'key-auth': { hide_credentials: true },
        workflow: { rules: [{ case: [['uri', '==', '/never']], actions: [['limit-count', limit]] }] },
      },
      upstream: nodes,
    })
    const { text, input } = await ask({ apikey: `${SECRET}-2` })
    assert.ok(!text.includes(SECRET), text)
    const { plugins, ...route } = input.route as Record<string, Record<string, unknown>>
    const { create_time, update_time, ...rest } = route
    assert.deepEqual(rest, {
      id: '1',
      uri: '/*',
      labels: { team: 'y' },
      service_id: 's',
      priority: 0,
      status: 1,
    })
    assert.equal((plugins!['key-auth'] as { header: string }).header, 'apikey')
    assert.match(JSON.stringify(plugins!['workflow']), /"redis_password":"\*\*\*"/)
    const service = input.service as Record<string, Record<string, unknown>>
    assert.deepEqual([service['name'], service['labels']], ['shop', { tier: '1' }])
    assert.equal((service['plugins']!['csrf'] as { key: string }).key, '***')
    const consumer = input.consumer as Record<string, Record<string, unknown>>
    assert.equal(consumer['desc'], 'of sales')
    assert.deepEqual(
      [consumer['username'], consumer['consumer_name'], consumer['credential_id']],
      ['jack', 'jack', 'c1'],
    )
    assert.equal((consumer['plugins']!['key-auth'] as { key: string }).key, '***')
    assert.equal((consumer['plugins']!['jwt-auth'] as { secret: string }).secret, '$env://JACKS_SECRET')
  })

  it('is what the request was matched with, and an edit holds for the next one', async (t) => {
    const { gateway, ask, nodes, opa } = await asked(t)
    const route = (desc: string) => ({ uri: '/*', desc, plugins: { opa }, upstream: nodes })
    for (const desc of ['one', 'two']) {
      await gateway.put('routes', '1', route(desc))
      const { input } = await ask({})
      assert.equal((input.route as { desc: string }).desc, desc)
      assert.deepEqual([input.service, input.consumer], [undefined, undefined])
    }
  })
})

describe('a decision', () => {
  it('to allow lets the request go on', async (t) => {
    const { plugin } = await mounted(t, ALLOWED)
    assert.equal((await plugin.request()).sent?.target, '/')
  })

  const DENIED: [what: string, decision: Record<string, unknown>, status: number, body: string][] = [
    ['not to allow', { allow: false }, 403, 'error page 403'],
    ['without a word about it', {}, 403, 'error page 403'],
    ['that is no boolean', { allow: 'true' }, 403, 'error page 403'],
    ['with a status', { allow: false, status_code: 302 }, 302, 'error page 302'],
    ['with a status that is none', { allow: false, status_code: 1000 }, 403, 'error page 403'],
    ['with a reason in words', { allow: false, reason: 'not\nyou' }, 403, 'not\nyou'],
    [
      'with a table as reason',
      { allow: false, reason: { code: 40001, why: ['x'] } },
      403,
      '{"code":40001,"why":["x"]}',
    ],
  ]
  for (const [what, decision, status, body] of DENIED) {
    it(`${what} refuses the request`, async (t) => {
      const { plugin } = await mounted(t, result(decision))
      const answer = await plugin.request()
      assert.deepEqual([answer.sent, answer.status, answer.body], [undefined, status, body])
    })
  }

  it('not to allow may have headers, none of which adds a line or frames the answer', async (t) => {
    const headers = {
      Location: 'http://a.test/',
      'X-Number': 7,
      'X-List': ['a', 'b'],
      'X-Evil': 'a\r\nSet-Cookie: x=y',
      'bad name': 'x',
      'Content-Length': '1000',
      'X-Table': { a: 1 },
    }
    const { plugin } = await mounted(t, result({ allow: false, status_code: 302, headers }))
    const { headers: shown } = await plugin.request()
    assert.deepEqual(shown.raw(), [
      ...['location', 'http://a.test/', 'x-number', '7', 'x-list', 'a', 'x-list', 'b'],
      ...['x-evil', 'a Set-Cookie: x=y'],
    ])
  })

  it('to allow sends the upstream the headers that are listed, and never those of the client', async (t) => {
    const headers = { 'x-user-id': 7, 'X-Other': 'z', 'X-Evil': 'a\r\nX-B: b' }
    const { plugin } = await mounted(t, result({ allow: true, headers }), {
      send_headers_upstream: ['X-User-Id', 'X-Role', 'X-Evil', 'Content-Length'],
    })
    const request: RequestInit = {
      headers: { 'x-user-ID': 'root', X_User_Id: 'root', 'X-Role': ['root', 'root'], x_role: 'root' },
    }
    const { sent } = await plugin.request(request)
    assert.deepEqual(sent?.headers.raw().slice(2), ['X-User-Id', '7', 'X-Evil', 'a X-B: b'])
  })
})

describe('no decision', () => {
  it('refuses with 403 when the agent cannot be asked', async (t) => {
    for (const address of [await refusingAddress(), await rawUpstream(t, () => {})]) {
      const plugin = mountPlugin(opa, { host: `http://${address}`, policy: 'p', timeout: 200 })
      const answer = await plugin.request()
      assert.deepEqual([answer.sent, answer.status], [undefined, 403])
    }
  })

  for (const text of ['<html>', '{}', '{"result":true}', '{"result":[{"allow":true}]}', 'null', '']) {
    it(`refuses with 503 when the answer is ${text || 'empty'}`, async (t) => {
      const { plugin } = await mounted(t, text)
      const answer = await plugin.request()
      assert.deepEqual([answer.sent, answer.status], [undefined, 503])
    })
  }
})

describe('the configuration', () => {
  it('needs agent and policy', () => {
    assert.equal(refusal(opa, { policy: 'p' }), 'property "host" is required')
    assert.equal(refusal(opa, { host: 'http://a.test' }), 'property "policy" is required')
    assert.match(
      refusal(opa, { host: 'a.test:8181', policy: 'p' })!,
      /property "host" is "a.test:8181"; give a URL/,
    )
    assert.notEqual(
      refusal(opa, { host: 'http://a.test', policy: 'p', send_headers_upstream: [] }),
      undefined,
    )
  })
})
