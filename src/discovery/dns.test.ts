import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeClock } from '../../test/support/fake-clock.ts'
import { scriptedDns } from '../../test/support/scripted-dns.ts'
import type { DiscoveredNode } from './discoverer.ts'
import { DnsDiscoverer, type DnsOrder } from './dns.ts'
import { createLookUp } from './look-up.ts'

const ORDER: readonly DnsOrder[] = ['last', 'SRV', 'A', 'AAAA', 'CNAME']

function watchService(records: Record<string, unknown>, serviceName: string, order = ORDER) {
  const clock = fakeClock()
  const client = scriptedDns(records)
  const hosts = { find: () => undefined }
  const search = { search: [], ndots: 1 }
  const lookUp = createLookUp({ client, hosts, search, validMs: undefined })
  const discoverer = new DnsDiscoverer({ clock, random: () => 0, client, lookUp, order, validMs: undefined })
  const sets: (readonly DiscoveredNode[])[] = []
  const problems: string[] = []
  const watch = discoverer.watch(
    { serviceName, args: {} },
    { onNodes: (nodes) => void sets.push(nodes), onProblem: (reason) => void problems.push(reason) },
  )
  return { clock, client, sets, problems, watch }
}

const srv = (target: string, port: number, weight: number, priority: number) => ({
  target,
  port,
  weight,
  priority,
})

describe('discovery through DNS', () => {
  it('makes a node of every address, with the port of the service name', async () => {
    const { clock, sets } = watchService(
      {
        'A svc': [
          ['10.0.0.2', 9],
          ['10.0.0.1', 9],
        ],
      },
      'svc:8080',
    )
    await clock.advance(1)
    assert.deepEqual(sets, [
      [
        { host: '10.0.0.1', port: 8080, weight: 1, priority: 0 },
        { host: '10.0.0.2', port: 8080, weight: 1, priority: 0 },
      ],
    ])
  })

  it('takes port, weight and priority of SRV records; port 0 is none, weight 0 is 1, several addresses share', async () => {
    const { clock, sets } = watchService(
      {
        'SRV svc': [srv('a', 81, 10, 1), srv('b', 0, 0, 0)],
        'A a': [
          ['10.0.0.1', 9],
          ['10.0.0.2', 9],
        ],
        'A b': [['10.0.0.3', 9]],
      },
      'svc',
    )
    await clock.advance(1)
    assert.deepEqual(sets[0], [
      { host: '10.0.0.1', port: 81, weight: 5, priority: -1 },
      { host: '10.0.0.2', port: 81, weight: 5, priority: -1 },
      { host: '10.0.0.3', port: undefined, weight: 1, priority: 0 },
    ])
  })

  it('lets the port of the service name win over that of SRV records', async () => {
    const { clock, sets } = watchService(
      { 'SRV svc': [srv('a', 81, 1, 0)], 'A a': [['10.0.0.1', 9]] },
      'svc:90',
    )
    await clock.advance(1)
    assert.equal(sets[0]![0]!.port, 90)
  })

  it('leaves out a target that is not found, and keeps the last set when none is', async () => {
    const records: Record<string, unknown> = {
      'SRV svc': [srv('a', 1, 1, 0), srv('b', 2, 1, 0)],
      'A b': [['10.0.0.2', 1]],
    }
    const { clock, sets, problems } = watchService(records, 'svc', ['SRV'])
    await clock.advance(1)
    assert.deepEqual(
      sets[0]!.map(({ port }) => port),
      [2],
    )
    delete records['A b']
    await clock.advance(1000)
    assert.equal(sets.length, 1)
    assert.equal(problems.length, 1)
  })

  it('asks for types in the order set, the one that answered before first', async () => {
    const { clock, client } = watchService({ 'AAAA svc': [['::1', 1]] }, 'svc')
    await clock.advance(1)
    assert.deepEqual(client.questions, ['SRV svc', 'A svc', 'AAAA svc'])
    await clock.advance(1000)
    assert.deepEqual(client.questions.slice(3), ['AAAA svc'])
  })

  it('does not pass over the type that answered before when it fails, but does when it is gone', async () => {
    const records: Record<string, unknown> = {
      'SRV svc': [srv('a', 1, 1, 0)],
      'A a': [['10.0.0.1', 1]],
      'A svc': [['10.0.0.9', 1]],
    }
    const { clock, sets, problems } = watchService(records, 'svc:7')
    await clock.advance(1)
    records['SRV svc'] = 'SERVFAIL'
    await clock.advance(1000)
    assert.deepEqual([sets.length, problems.length], [1, 1])
    delete records['SRV svc']
    await clock.advance(2000)
    assert.equal(sets[1]![0]!.host, '10.0.0.9')
  })

  it('believes SRV records for half a minute at most, as their TTL is not told', async () => {
    const { clock, client } = watchService(
      { 'SRV svc': [srv('a', 1, 1, 0)], 'A a': [['10.0.0.1', 3000]] },
      'svc',
    )
    await clock.advance(30_000)
    assert.equal(client.questions.filter((question) => question === 'SRV svc').length, 2)
  })

  it('refuses a service name that is none', () => {
    for (const name of ['svc:0', 'svc:99999', 'a b', 'http://svc']) {
      assert.throws(() => watchService({}, name), /service_name ".*" is no name or name:port/)
    }
  })

  it('ends with its watch', async () => {
    const { clock, watch } = watchService({ 'A svc': [['10.0.0.1', 1]] }, 'svc')
    await clock.advance(1)
    watch.close()
    assert.equal(clock.pending, 0)
  })
})
