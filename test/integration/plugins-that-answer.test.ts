import assert from 'node:assert/strict'
import { get } from 'node:http'
import { describe, it } from 'node:test'
import { definePlugin } from '../../src/plugin/api.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { eventually } from '../support/watch-recording.ts'

describe('a plugin that answers in place of the upstream', () => {
  for (const [name, config] of [
    ['fault-injection', { delay: { duration: 50 } }],
    ['mocking', { delay: 50, response_example: 'late' }],
  ] as const) {
    it(`lets go of a request that ${name} delays as soon as its client leaves`, async (t) => {
      const node = await fakeUpstream(t)
      let began = 0
      const walked: string[] = []
      const watcher = definePlugin<Record<string, unknown>>({
        name: 'watcher',
        priority: 1,
        schema: { type: 'object' },
        compile: () => ({
          access: () => void walked.push('access'),
          log: ({ response }) => void walked.push(`log ${response.status}`),
        }),
      })
      const first = definePlugin<Record<string, unknown>>({
        name: 'first',
        priority: 99_999,
        schema: { type: 'object' },
        compile: () => ({ rewrite: () => void began++ }),
      })
      const plugins = { watcher: async () => ({ default: watcher }), first: async () => ({ default: first }) }
      const gateway = await startGateway(
        t,
        {
          routes: {
            1: {
              uri: '/*',
              plugins: { [name]: config, watcher: {}, first: {} },
              upstream: { nodes: { [node.address]: 1 } },
            },
          },
        },
        { plugins },
      )
      const client = get(`${gateway.proxyUrl}/`, { agent: false })
      // The client itself ends it.
      client.on('error', () => {})
      await eventually('the request is held', () => began === 1)
      client.destroy()
      await eventually('it is over', () => walked.length > 0)
      assert.deepEqual(walked, ['log 499'])
      const startedAt = performance.now()
      await gateway.stop()
      assert.ok(performance.now() - startedAt < 5000, 'the stop waits for nobody')
      assert.equal(node.requests.length, 0)
    })
  }

  it('may be packed and filtered on its way', async (t) => {
    const gateway = await startGateway(t, {
      routes: {
        1: {
          uri: '/packed',
          plugins: {
            mocking: { response_example: '<p>hello</p>'.repeat(50), content_type: 'text/html' },
            gzip: {},
          },
        },
        2: {
          uri: '/changed',
          plugins: {
            mocking: { response_example: 'hello', content_type: 'text/html' },
            'response-rewrite': { filters: [{ regex: 'hello', replace: 'bye' }] },
            echo: { after_body: '!' },
            gzip: {},
          },
        },
      },
    })
    const ask = async (path: string) => {
      const response = await fetch(gateway.proxyUrl + path, { headers: { 'accept-encoding': 'gzip' } })
      return [response.headers.get('content-encoding'), await response.text()]
    }
    assert.deepEqual(await ask('/packed'), ['gzip', '<p>hello</p>'.repeat(50)])
    assert.deepEqual(await ask('/changed'), ['gzip', 'bye!'])
  })
})
