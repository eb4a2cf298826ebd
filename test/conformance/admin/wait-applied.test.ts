import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { AppliedRevisions } from '../../../admin/api/index.ts'
import { ConfigError, definePlugin } from '../../../src/plugin/definition.ts'
import { AppliedWaiters } from '../../../src/snapshot/applied.ts'
import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { ADMIN_KEY, startGateway } from '../../../src/testing/start-gateway.ts'
import { checkRows, type Row, startAdmin } from './start-admin.ts'

const ROUTE = { uri: '/a', plugins: {} }
const GIVEN = { 'routes/1': { ...ROUTE, id: '1' } }

/** A data plane that has published everything, or nothing yet. */
function planeAt(published: number, reason?: string): AppliedRevisions {
  const waiters = new AppliedWaiters()
  waiters.publish(published)
  return {
    waitFor: (revision, signal) => waiters.waitFor(revision, signal),
    status: () => ({ observed: 7, published }),
    quarantined: ({ kind, id }) => (kind === 'routes' && id === '1' ? reason : undefined),
  }
}

const APPLIED = { 'x-gatewright-applied': '100' }

describe('?wait=applied', () => {
  checkRows(
    [
      { rule: 'answers a PUT', request: ['PUT', '/routes/1?wait=applied', ROUTE], status: 201, has: APPLIED },
      { rule: 'answers a POST', request: ['POST', '/routes?wait=applied', ROUTE], status: 201, has: APPLIED },
      {
        rule: 'answers a PATCH',
        given: GIVEN,
        request: ['PATCH', '/routes/1?wait=applied', { desc: 'd' }],
        status: 200,
        has: { ...APPLIED, etag: '"3"' },
      },
      {
        rule: 'answers a DELETE',
        given: GIVEN,
        request: ['DELETE', '/routes/1?wait=applied'],
        status: 200,
        answer: { deleted: '1', key: '/apisix/routes/1' },
        has: APPLIED,
      },
      {
        rule: 'leaves a refusal as it is',
        request: ['PUT', '/routes/1?wait=applied', {}],
        status: 400,
        has: { 'x-gatewright-applied': undefined },
      },
      { rule: 'means nothing to a GET', request: ['GET', '/routes?wait=x'], status: 200 },
      ...['5s', '500ms', '60s', '1.5s', '2'].map(
        (timeout): Row => ({
          rule: `takes a timeout of ${timeout}`,
          request: ['PUT', `/routes/1?wait=applied&timeout=${timeout}`, ROUTE],
          status: 201,
          has: APPLIED,
        }),
      ),
      ...['0', '61s', '-1s', '1m', 'x', ''].map(
        (timeout): Row => ({
          rule: `takes no timeout of ${JSON.stringify(timeout)}`,
          request: ['PUT', `/routes/1?wait=applied&timeout=${timeout}`, ROUTE],
          status: 400,
          answer: `invalid argument timeout: ${JSON.stringify(timeout)} is no time such as 5s or 500ms, at most 60s`,
        }),
      ),
      ...['everyone', 'true', ''].map(
        (wait): Row => ({
          rule: `takes no wait=${wait}`,
          request: ['PUT', `/routes/1?wait=${wait}`, ROUTE],
          status: 400,
          answer: `invalid argument wait: ${JSON.stringify(wait)} is not supported; use applied or cluster`,
        }),
      ),
    ],
    { applied: planeAt(100) },
  )

  it('answers 202 and how far the data plane is when the time is up', async () => {
    const admin = await startAdmin({ applied: planeAt(1) })
    const shown = await admin.send('PUT', '/routes/1?wait=applied&timeout=5ms', { body: ROUTE })
    assert.equal(shown.status, 202)
    assert.equal((shown.body as { key: string }).key, '/apisix/routes/1')
    assert.equal(shown.headers['x-gatewright-applied'], undefined)
    assert.equal(shown.headers['x-gatewright-observed'], '7')
    assert.equal(shown.headers['x-gatewright-published'], '1')
    assert.notEqual(await admin.store.get('/apisix/routes/1'), undefined)
  })

  it('answers 422 and why when the data plane cannot use what was stored', async () => {
    const admin = await startAdmin({ applied: planeAt(100, 'no such thing') })
    const shown = await admin.send('PUT', '/routes/1?wait=applied', { body: ROUTE })
    assert.deepEqual(
      [shown.status, shown.body],
      [422, { error_msg: 'stored at revision 2, but routes/1 cannot be used: no such thing' }],
    )
    assert.deepEqual([shown.headers['x-gatewright-applied'], shown.headers.etag], ['100', '"2"'])
    assert.equal((await admin.send('PUT', '/routes/2?wait=applied', { body: ROUTE })).status, 201)
  })
})

/** Compiles nothing, which only the data plane can find out. */
const brittle = definePlugin<object>({
  name: 'test-brittle',
  priority: 1,
  schema: { type: 'object' },
  compile: () => {
    throw new ConfigError('it does not compile')
  },
})

describe('a gateway', () => {
  /** Without waiting for anything but the answer. */
  async function start(t: TestContext) {
    const gateway = await startGateway(
      t,
      {},
      { plugins: { 'test-brittle': async () => ({ default: brittle }) } },
    )
    const url = `http://127.0.0.1:${gateway.addresses.admin!.port}/apisix/admin`
    const send = (method: string, path: string, body?: unknown) =>
      fetch(`${url}${path}`, {
        method,
        headers: { 'x-api-key': ADMIN_KEY },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
    return { gateway, send }
  }

  it('serves a route when the answer to its write arrives', async (t) => {
    const { gateway, send } = await start(t)
    const node = await fakeUpstream(t)
    for (let count = 0; count < 20; count++) {
      const route = { uri: `/r${count}`, upstream: { nodes: { [node.address]: 1 } } }
      const { status, headers } = await send('PUT', `/routes/${count}?wait=applied`, route)
      assert.deepEqual([status, headers.get('etag')], [201, `"${headers.get('x-gatewright-applied')}"`])
      assert.equal((await fetch(`${gateway.proxyUrl}/r${count}`)).status, 200)
    }
    assert.equal((await send('DELETE', '/routes/1?wait=applied')).status, 200)
    assert.equal((await fetch(`${gateway.proxyUrl}/r1`)).status, 404)
  })

  it('says why it cannot serve what it has stored', async (t) => {
    const { send } = await start(t)
    const response = await send('PUT', '/routes/1?wait=applied', {
      uri: '/a',
      plugins: { 'test-brittle': {} },
    })
    const { error_msg } = (await response.json()) as { error_msg: string }
    assert.equal(response.status, 422)
    assert.match(error_msg, /^stored at revision \d+, but routes\/1 cannot be used: .*it does not compile/)
  })
})
