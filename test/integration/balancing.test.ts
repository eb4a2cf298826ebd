import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'

describe('balancing', () => {
  it('with roundrobin gives every node its share, over connections that are kept', async (t) => {
    const nodes = await Promise.all([fakeUpstream(t), fakeUpstream(t), fakeUpstream(t)])
    const weights = [5, 2, 1]
    const gateway = await startGateway(t, {
      routes: {
        1: {
          uri: '/*',
          upstream: {
            type: 'roundrobin',
            nodes: Object.fromEntries(nodes.map(({ address }, index) => [address, weights[index]!])),
          },
        },
      },
    })
    for (let i = 0; i < 24; i++) await (await fetch(`${gateway.proxyUrl}/${i % 3}`)).text()
    assert.deepEqual(
      nodes.map(({ requests }) => requests.length),
      [15, 6, 3],
    )
    for (const { connections } of nodes) assert.equal(connections, 1)
  })

  it('with chash keeps a key at its node, and spreads the keys', async (t) => {
    const nodes = await Promise.all([fakeUpstream(t), fakeUpstream(t), fakeUpstream(t)])
    const gateway = await startGateway(t, {
      routes: {
        1: {
          uri: '/*',
          upstream: {
            type: 'chash',
            hash_on: 'header',
            key: 'X-User',
            nodes: Object.fromEntries(nodes.map(({ address }) => [address, 1])),
          },
        },
      },
    })
    for (let round = 0; round < 3; round++) {
      for (let user = 0; user < 20; user++) {
        const answer = await fetch(gateway.proxyUrl, { headers: { 'x-user': `user-${user}` } })
        assert.equal(answer.status, 200)
        await answer.text()
      }
    }
    const users = nodes.map(({ requests }) => requests.map(({ headers }) => headers['x-user']))
    for (const seen of users) {
      assert.ok(seen.length > 0, 'every node has some')
      assert.equal(seen.length, 3 * new Set(seen).size, 'each user came three times to the same node')
    }
  })

  it('keeps its turn when something else about the upstream is edited', async (t) => {
    const nodes = await Promise.all([fakeUpstream(t), fakeUpstream(t)])
    const upstream = {
      type: 'roundrobin',
      nodes: Object.fromEntries(nodes.map(({ address }) => [address, 1])),
    }
    const gateway = await startGateway(t, {
      upstreams: { u: upstream },
      routes: { 1: { uri: '/*', upstream_id: 'u' } },
    })
    for (let i = 0; i < 8; i++) {
      await (await fetch(gateway.proxyUrl)).text()
      await gateway.put('upstreams', 'u', { ...upstream, retries: i })
    }
    assert.deepEqual(
      nodes.map(({ requests, connections }) => [requests.length, connections]),
      [
        [4, 1],
        [4, 1],
      ],
    )
  })
})
