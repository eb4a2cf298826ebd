import assert from 'node:assert/strict'
import { it, type TestContext } from 'node:test'
import Fastify from 'fastify'
import { componentRoutes, type LifecycleSource, type QuitSource, quitRoute } from './lifecycle.ts'

const KEYS = ['a-key-of-32-characters-0123456789', 'another-key-of-32-characters-0123']

function app(t: TestContext, quit?: QuitSource, source?: LifecycleSource) {
  const server = Fastify()
  if (source) componentRoutes(server, () => source)
  if (quit) quitRoute(server, quit)
  t.after(() => server.close())
  return server
}

function stopper(t: TestContext, keys: readonly string[] = KEYS) {
  let quits = 0
  const server = app(t, { keys, quit: () => quits++ })
  const ask = async (key?: string, remoteAddress = '127.0.0.1') => {
    const headers = key === undefined ? {} : { 'x-api-key': key }
    return (await server.inject({ method: 'POST', url: '/quitquitquit', headers, remoteAddress })).statusCode
  }
  return { ask, quits: () => quits }
}

it('a process is stopped by whoever is on the same machine and has an admin key', async (t) => {
  const { ask, quits } = stopper(t)
  assert.equal(await ask(KEYS[1]), 202)
  assert.equal(quits(), 1)
  assert.equal(await ask(KEYS[0], '::ffff:127.0.0.1'), 202)
  assert.equal(await ask(KEYS[0], '::1'), 202)
  assert.equal(quits(), 3)
})

it('it is stopped by nobody else: not without key or with another one, nor from another machine', async (t) => {
  const { ask, quits } = stopper(t)
  assert.deepEqual([await ask(), await ask('x'), await ask('')], [401, 401, 401])
  assert.deepEqual([await ask(KEYS[0], '10.0.0.9'), await ask(KEYS[0], '2001:db8::1')], [403, 403])
  assert.equal(quits(), 0)
  const keyless = stopper(t, [])
  assert.deepEqual([await keyless.ask(), await keyless.ask('')], [401, 401])
})

it('components are shown with what a stop waits for', async (t) => {
  const server = app(t, undefined, {
    phase: 'draining',
    notReady: ['draining'],
    components: [{ name: 'proxy', rank: 7, state: 'stopping', startMs: 12 }],
    drain: {
      mode: 'graceful',
      acknowledged: 1,
      pending: [{ component: 'requests', count: 2 }],
      forced: [],
    },
  })
  assert.deepEqual((await server.inject('/v1/components')).json(), {
    phase: 'draining',
    not_ready: ['draining'],
    components: [{ name: 'proxy', rank: 7, state: 'stopping', start_ms: 12 }],
    drain: { mode: 'graceful', acknowledged: 1, pending: [{ component: 'requests', count: 2 }], forced: [] },
  })
})
