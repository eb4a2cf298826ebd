import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

const CHANGES = 1000
const CLIENTS = 8

/** One keep-alive client that asks until it is told to stop; returns what it met. */
async function ask(port: number, isDone: () => boolean): Promise<Map<number | string, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const seen = new Map<number | string, number>()
  while (!isDone()) {
    const outcome = await once(port, agent)
    seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
  }
  agent.destroy()
  return seen
}

function once(port: number, agent: Agent): Promise<number | string> {
  return new Promise((resolve) => {
    const sent = request({ port, host: '127.0.0.1', path: '/steady', agent }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
    })
    sent.on('error', (error) => resolve(error.message))
    sent.end()
  })
}

describe('a thousand changes under load', () => {
  it('fail no request, reset no counter of a route they do not touch, and leave nothing behind', async (t) => {
    const upstream = await fakeUpstream(t)
    const nodes = { [upstream.address]: 1 }
    const gateway = await startGateway(t, {
      routes: {
        steady: { uri: '/steady', plugins: { prometheus: {} }, upstream: { nodes } },
        counted: {
          uri: '/counted',
          plugins: { 'limit-count': { count: 1, time_window: 600 } },
          upstream: { nodes },
        },
      },
    })
    assert.equal((await fetch(`${gateway.proxyUrl}/counted`)).status, 200)

    let isDone = false
    const clients = Array.from({ length: CLIENTS }, () => ask(gateway.proxyPort, () => isDone))
    for (let i = 0; i < CHANGES; i++) {
      await gateway.put('routes', `other-${i % 10}`, {
        uri: `/other/${i}`,
        plugins: { 'limit-count': { count: i + 1, time_window: 60 } },
        upstream: { nodes },
      })
    }
    isDone = true
    const seen = await Promise.all(clients)
    for (const outcomes of seen) assert.deepEqual([...outcomes.keys()], [200])
    assert.equal((await fetch(`${gateway.proxyUrl}/counted`)).status, 503)
    assert.equal((await fetch(`${gateway.proxyUrl}/other/${CHANGES - 1}`)).status, 200)
    assert.equal((await fetch(`${gateway.proxyUrl}/other/0`)).status, 404)
  })
})
