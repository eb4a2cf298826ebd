import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Upstream as UpstreamDocument } from '../model/types.ts'
import { PoolRegistry } from './pool-registry.ts'
import { type ConnectionPool, NO_WARMING } from './transport.ts'
import { Upstream, type UpstreamEnvironment } from './upstream.ts'

interface FakePool extends ConnectionPool {
  readonly name: string
  closes: number
}

/** An environment whose pools only count. */
function world(): UpstreamEnvironment & { readonly opened: FakePool[] } {
  const opened: FakePool[] = []
  const pools = new PoolRegistry(({ host, port }) => {
    const pool: FakePool = {
      name: `${host}:${port}`,
      closes: 0,
      send: () => {
        throw new Error('nothing is sent here')
      },
      warm: () => NO_WARMING,
      close: () => {
        pool.closes++
      },
    }
    opened.push(pool)
    return pool
  })
  return { pools, random: () => 0, opened }
}

const A = { 'a:1': 1, 'b:1': 1 }

function edit(upstream: Upstream, document: UpstreamDocument, environment: UpstreamEnvironment): void {
  upstream.prepare(document, environment).publish()
}

describe('an edit of an upstream', () => {
  it('that leaves the nodes alone keeps node objects, balancer and pools', () => {
    const environment = world()
    const upstream = Upstream.create('upstreams/1', { nodes: A }, environment)
    const before = upstream.state
    edit(upstream, { nodes: A, retries: 3, timeout: { connect: 1, send: 1, read: 1 } }, environment)
    assert.equal(upstream.state.balancer, before.balancer)
    assert.deepEqual(
      upstream.state.nodes.map((node, i) => node === before.nodes[i]),
      [true, true],
    )
    assert.equal(upstream.state.spec.retries, 3)
    assert.deepEqual(
      environment.opened.map(({ closes }) => closes),
      [0, 0],
    )
  })

  it('that changes one node keeps the others, and closes what nobody uses any more', () => {
    const environment = world()
    const upstream = Upstream.create('upstreams/1', { nodes: A }, environment)
    const [a] = upstream.state.nodes
    edit(upstream, { nodes: { 'a:1': 1, 'c:1': 1 } }, environment)
    assert.equal(upstream.state.nodes[0], a)
    assert.deepEqual(
      environment.opened.map(({ name, closes }) => [name, closes]),
      [
        ['a:1', 0],
        ['b:1', 1],
        ['c:1', 0],
      ],
    )
  })

  it('of a weight keeps the connections', () => {
    const environment = world()
    const upstream = Upstream.create('upstreams/1', { nodes: A }, environment)
    const before = upstream.state
    edit(upstream, { nodes: { 'a:1': 5, 'b:1': 1 } }, environment)
    assert.notEqual(upstream.state.nodes[0], before.nodes[0])
    assert.equal(upstream.state.nodes[0]!.pool, before.nodes[0]!.pool)
    assert.notEqual(upstream.state.balancer, before.balancer)
    assert.equal(environment.opened.length, 2)
  })

  it('that is discarded changes nothing', () => {
    const environment = world()
    const upstream = Upstream.create('upstreams/1', { nodes: A }, environment)
    const before = upstream.state
    upstream.prepare({ nodes: { 'a:1': 1, 'c:1': 1 } }, environment).discard()
    assert.equal(upstream.state, before)
    assert.deepEqual(
      environment.opened.map(({ closes }) => closes),
      [0, 0, 1],
    )
  })

  it('that is refused leaves nothing behind', () => {
    const environment = world()
    const upstream = Upstream.create('upstreams/1', { nodes: A }, environment)
    assert.throws(() => upstream.prepare({ type: 'none', nodes: { 'd:1': 1 } }, environment), /"none"/)
    upstream.dispose(environment)
    assert.equal(environment.pools.size, 0)
  })

  it('that names an address twice gives two nodes and one pool', () => {
    const environment = world()
    const node = { host: 'a', port: 1, weight: 1 }
    const upstream = Upstream.create('upstreams/1', { nodes: [node, node] }, environment)
    assert.equal(upstream.state.nodes.length, 2)
    edit(upstream, { nodes: [node] }, environment)
    assert.deepEqual(
      environment.opened.map(({ closes }) => closes),
      [0],
    )
    upstream.dispose(environment)
    assert.deepEqual(
      environment.opened.map(({ closes }) => closes),
      [1],
    )
  })
})

describe('pools', () => {
  it('are shared by upstreams with the same node, and closed when the last one goes', () => {
    const environment = world()
    const [one, other] = [1, 2].map((id) => Upstream.create(`upstreams/${id}`, { nodes: A }, environment))
    assert.equal(environment.opened.length, 2)
    one!.dispose(environment)
    assert.deepEqual(
      environment.opened.map(({ closes }) => closes),
      [0, 0],
    )
    other!.dispose(environment)
    assert.deepEqual(
      environment.opened.map(({ closes }) => closes),
      [1, 1],
    )
    assert.equal(environment.pools.size, 0)
  })

  it('are apart for another scheme, server name, certificate or keep-alive', () => {
    const environment = world()
    const nodes = { 'a:443': 1 }
    const documents: UpstreamDocument[] = [
      { nodes },
      { nodes, scheme: 'https' },
      { nodes, scheme: 'https', pass_host: 'rewrite', upstream_host: 'b' },
      { nodes, scheme: 'https', tls: { verify: true } },
      { nodes, scheme: 'https', tls: { client_cert: 'c', client_key: 'k' } },
      { nodes, keepalive_pool: { size: 1 } },
    ]
    for (const [id, document] of documents.entries())
      Upstream.create(`upstreams/${id}`, document, environment)
    assert.equal(environment.opened.length, documents.length)
    for (const [id, document] of documents.entries()) Upstream.create(`services/${id}`, document, environment)
    assert.equal(environment.opened.length, documents.length)
  })

  it('are all closed at the end, and shares that are given back later change nothing', () => {
    const environment = world()
    const upstream = Upstream.create('upstreams/1', { nodes: A }, environment)
    environment.pools.closeAll()
    upstream.dispose(environment)
    assert.deepEqual(
      environment.opened.map(({ closes }) => closes),
      [1, 1],
    )
    assert.equal(environment.pools.size, 0)
  })
})
