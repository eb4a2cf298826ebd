import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { outgoing, ProbeSink } from '../../test/support/transport-probe.ts'
import type { PoolIdentity } from './pool-registry.ts'
import { ServerNamePools, serverNameOf } from './server-name-pools.ts'
import { type ConnectionPool, NO_WARMING } from './transport.ts'

const IDENTITY: PoolIdentity = {
  scheme: 'https',
  host: '127.0.0.1',
  port: 1,
  serverName: 'node.test',
  tls: undefined,
  keepalive: { size: 1, idleMs: 1, requests: 1 },
}

/** Pools that only note what happens to them. */
function noting() {
  const opened: string[] = []
  const closed: string[] = []
  const sent: string[] = []
  const warmed: string[] = []
  const pools = new ServerNamePools(IDENTITY, ({ serverName = '' }): ConnectionPool => {
    opened.push(serverName)
    return {
      send: () => {
        sent.push(serverName)
        return { resume: () => undefined, abort: () => undefined }
      },
      warm: () => {
        warmed.push(serverName)
        return NO_WARMING
      },
      close: () => void closed.push(serverName),
    }
  })
  const send = (serverName?: string) => pools.send({ ...outgoing(), serverName }, new ProbeSink())
  return { pools, opened, closed, sent, warmed, send }
}

describe('the pools of one node', () => {
  it('are one for each name, and that of the node for requests without one', () => {
    const { send, opened, sent } = noting()
    for (const name of ['a', 'b', 'a', undefined, '', 'b']) send(name)
    assert.deepEqual(opened, ['a', 'b', 'node.test', ''])
    assert.deepEqual(sent, ['a', 'b', 'a', 'node.test', '', 'b'])
  })

  it('are opened ahead under the name of the node', () => {
    const { pools, warmed } = noting()
    pools.warm(1)
    assert.deepEqual(warmed, ['node.test'])
  })

  it('are bounded: the one that was used least lately is closed', () => {
    const { send, pools, closed } = noting()
    for (let i = 0; i < 64; i++) send(`name-${i}`)
    send('name-0')
    for (let i = 64; i < 66; i++) send(`name-${i}`)
    assert.deepEqual(closed, ['name-1', 'name-2'])
    assert.equal(pools.size, 64)
  })

  it('are all closed with the node; what is still sent keeps nothing open', () => {
    const { send, pools, closed } = noting()
    send('a')
    send('b')
    pools.close()
    assert.deepEqual(closed, ['a', 'b'])
    send('a')
    assert.deepEqual(closed, ['a', 'b', 'a'])
    assert.equal(pools.size, 0)
  })
})

describe('the name for a Host', () => {
  it('has no port, and there is none for an address', () => {
    const rows = [
      ['A.test:80', 'a.test'],
      ['a.test', 'a.test'],
      ['10.0.0.1:80', ''],
      ['[::1]:80', ''],
      ['', ''],
    ] as const
    for (const [host, name] of rows) assert.equal(serverNameOf(host), name)
  })
})
