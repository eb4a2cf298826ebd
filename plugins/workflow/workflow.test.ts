import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import type { RequestInit } from '../../src/testing/plugin-request.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { eventually } from '../../test/support/watch-recording.ts'
import limitConn from '../limit-conn/index.ts'
import limitCount from '../limit-count/index.ts'
import workflow from './index.ts'

const mount = (rules: unknown) => mountPlugin(workflow, { rules }, { others: [limitCount] })
const returning = (code: number) => [['return', { code }]]

describe('workflow', () => {
  it('answers with the code of the first rule whose case holds', async () => {
    const mounted = mount([
      { case: [['uri', '==', '/secret']], actions: returning(403) },
      { case: [['uri', '~~', '^/s']], actions: returning(404) },
    ])
    const answer = await mounted.request({ target: '/secret' })
    assert.equal(answer.status, 403)
    assert.equal(answer.body, '{"error_msg":"rejected by workflow"}\n')
    assert.equal((await mounted.request({ target: '/some' })).status, 404)
    assert.equal((await mounted.request({ target: '/other' })).status, 200)
  })

  it('takes a rule without a case for one that always holds, and only its first action', async () => {
    const mounted = mount([
      {
        actions: [
          ['return', { code: 410 }],
          ['return', { code: 411 }],
        ],
      },
    ])
    assert.equal((await mounted.request()).status, 410)
  })

  it('limits by the plugin that a rule names, with its headers', async () => {
    const limit = ['limit-count', { count: 1, time_window: 60, rejected_code: 429 }]
    const mounted = mount([{ case: [['arg_v', '==', '1']], actions: [limit] }])
    const first = await mounted.request({ target: '/?v=1' })
    assert.equal(first.status, 200)
    assert.equal(first.headers.get('x-ratelimit-remaining'), '0')
    assert.equal((await mounted.request({ target: '/?v=1' })).status, 429)
    const other = await mounted.request({ target: '/?v=2' })
    assert.equal(other.status, 200)
    assert.equal(other.headers.has('x-ratelimit-remaining'), false)
  })

  const refused: [rule: Record<string, unknown>, message: RegExp][] = [
    [{ actions: [['fault-injection', {}]] }, /^unsupported action: fault-injection$/],
    [{ actions: [['__proto__', {}]] }, /^unsupported action: __proto__$/],
    [{ actions: [['return', {}]] }, /^failed to validate the 'return' action: property "code" is required$/],
    [
      { actions: [['return', { code: 700 }]] },
      /^failed to validate the 'return' action: property "code" validation failed: expected 700 to be at most 599$/,
    ],
    [
      { actions: [['return', { code: '403' }]] },
      /^failed to validate the 'return' action: property "code" validation failed: wrong type: expected integer, got string$/,
    ],
    [
      { actions: [['limit-count', { count: 0, time_window: 60 }]] },
      /^failed to validate the 'limit-count' action: .*count/,
    ],
    [
      { case: [['a', 'no such operator', 1]], actions: returning(403) },
      /^failed to validate the 'case' expression: /,
    ],
    [{ case: [['uri', '==', '/']] }, /"actions" is required/],
  ]
  for (const [rule, message] of refused) {
    it(`refuses ${JSON.stringify(rule)}`, () => {
      let problem = ''
      try {
        mount([rule])
      } catch (error) {
        problem = (error as Error).message.replace(/^.*? err: /, '')
      }
      assert.match(problem, message)
    })
  }

  it('counts equal limits of two rules apart', async () => {
    const limit = ['limit-count', { count: 1, time_window: 60 }]
    const mounted = mount(['1', '2'].map((v) => ({ case: [['arg_v', '==', v]], actions: [limit] })))
    assert.equal((await mounted.request({ target: '/?v=1' })).status, 200)
    assert.equal((await mounted.request({ target: '/?v=2' })).status, 200)
    assert.equal((await mounted.request({ target: '/?v=1' })).status, 503)
  })

  const CONN = { conn: 1, burst: 0, default_conn_delay: 0.01, key: 'remote_addr', rejected_code: 429 }

  it('counts requests under way, and gives places back when they end, for the rule alone', async () => {
    const rules = [{ case: [['arg_v', '==', '1']], actions: [['limit-conn', CONN]] }]
    const mounted = mountPlugin(workflow, { rules }, { others: [limitConn] })
    const together = async (count: number, init: RequestInit) => {
      const answers = Array.from({ length: count }, () => mounted.request(init))
      return (await Promise.all(answers)).map(({ status }) => status).sort()
    }
    for (const upstream of [{ status: 200 }, { status: 200 }, { status: 500 }] as const) {
      const statuses = await together(3, { target: '/?v=1', upstream })
      assert.deepEqual(statuses, [upstream.status, 429, 429].sort())
    }
    assert.equal((await mounted.request({ target: '/?v=1', upstream: 'refused' })).status, 502)
    assert.deepEqual(await together(1, { target: '/?v=1' }), [200])
    assert.deepEqual(await together(3, { target: '/?v=2' }), [200, 200, 200])
  })

  it('gives the place of a client back that leaves', async (t) => {
    const held: ServerResponse[] = []
    const upstream = await fakeUpstream(t, (_, response) => {
      if (held.length === 0) held.push(response)
      else response.end()
    })
    const gateway = await startGateway(t)
    await gateway.put('routes', '1', {
      uri: '/*',
      plugins: { workflow: { rules: [{ actions: [['limit-conn', CONN]] }] } },
      upstream: { type: 'roundrobin', nodes: { [upstream.address]: 1 } },
    })
    const leave = new AbortController()
    const left = assert.rejects(fetch(gateway.proxyUrl, { signal: leave.signal }))
    await eventually('the first is under way', () => held.length === 1)
    assert.equal((await fetch(gateway.proxyUrl)).status, 429)
    leave.abort()
    await left
    await eventually('the place is free', async () => (await fetch(gateway.proxyUrl)).status === 200, 30_000)
  })

  it('takes the place of the plugin of the route for what a rule has limited', async (t) => {
    const upstream = await fakeUpstream(t)
    const gateway = await startGateway(t)
    const limit = ['limit-count', { count: 3, time_window: 60 }]
    await gateway.put('routes', '1', {
      uri: '/*',
      plugins: {
        workflow: { rules: [{ case: [['arg_v', '==', '1']], actions: [limit] }] },
        'limit-count': { count: 1, time_window: 60 },
      },
      upstream: { nodes: { [upstream.address]: 1 } },
    })
    const statuses = async (query: string, count: number) => {
      const seen: number[] = []
      for (let i = 0; i < count; i++) seen.push((await fetch(`${gateway.proxyUrl}/?v=${query}`)).status)
      return seen
    }
    assert.deepEqual(await statuses('1', 4), [200, 200, 200, 503])
    assert.deepEqual(await statuses('2', 2), [200, 503])
  })

  it('refuses to be without rules', () => {
    assert.equal(refusal(workflow, {}), 'property "rules" is required')
  })

  it('decides before the upstream is asked', async (t) => {
    const upstream = await fakeUpstream(t)
    const gateway = await startGateway(t)
    const limit = ['limit-count', { count: 1, time_window: 60, rejected_code: 429 }]
    await gateway.put('routes', '1', {
      uri: '/*',
      plugins: {
        workflow: {
          rules: [
            { case: [['uri', '==', '/no']], actions: returning(403) },
            { case: [['uri', '==', '/once']], actions: [limit] },
          ],
        },
      },
      upstream: { type: 'roundrobin', nodes: { [upstream.address]: 1 } },
    })
    const statuses: number[] = []
    for (const path of ['/no', '/once', '/once', '/yes']) {
      statuses.push((await fetch(gateway.proxyUrl + path)).status)
    }
    assert.deepEqual(statuses, [403, 200, 429, 200])
    assert.equal(upstream.requests.length, 2)
  })
})
