import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { it } from 'node:test'
import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { startGateway } from '../../../src/testing/start-gateway.ts'
import { eventually } from '../../support/watch-recording.ts'

it('1, 8: with the settings as they are, a request under way survives the stop, and its node sees no abort', async (t) => {
  const held: ServerResponse[] = []
  let isAborted = false
  const upstream = await fakeUpstream(t, (request, response) => {
    request.on('aborted', () => {
      isAborted = true
    })
    held.push(response)
  })
  const gateway = await startGateway(t, {
    routes: { 1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } },
  })
  const answer = fetch(gateway.proxyUrl, { method: 'POST', body: 'x' })
  await eventually('it is under way', () => held.length === 1)
  const stopped = gateway.stop()
  await eventually('the gateway does not accept', () =>
    fetch(gateway.proxyUrl).then(
      () => false,
      () => true,
    ),
  )
  held[0]!.end('whole')
  assert.equal(await (await answer).text(), 'whole')
  assert.deepEqual([await stopped, isAborted], [{ forced: 0 }, false])
})

it('13: a route that was deleted is a 404 within a second', async (t) => {
  const upstream = await fakeUpstream(t)
  const gateway = await startGateway(t, {
    routes: { 1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } },
  })
  assert.equal((await fetch(gateway.proxyUrl)).status, 200)
  const began = performance.now()
  await gateway.admin('DELETE', 'routes/1')
  assert.equal((await fetch(gateway.proxyUrl)).status, 404)
  assert.ok(performance.now() - began < 1000)
})

it('19: a limit goes on counting where it was when its route is changed', async (t) => {
  const upstream = await fakeUpstream(t)
  const route = {
    uri: '/*',
    plugins: { 'limit-count': { count: 2, time_window: 60, rejected_code: 429, key: 'remote_addr' } },
    upstream: { nodes: { [upstream.address]: 1 } },
  }
  const gateway = await startGateway(t, { routes: { 1: route } })
  const status = async () => (await fetch(gateway.proxyUrl)).status
  assert.deepEqual([await status(), await status(), await status()], [200, 200, 429])
  await gateway.put('routes', '1', { ...route, desc: 'changed', priority: 7 })
  assert.equal(await status(), 429)
})
