import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { scriptedDns } from '../../test/support/scripted-dns.ts'
import { parseHosts } from './hosts-file.ts'
import { createLookUp, followAlias, type LookUpOptions } from './look-up.ts'

const NO_SEARCH = { search: [], ndots: 1 }

function lookUpWith(
  records: Readonly<Record<string, unknown>>,
  options: Partial<LookUpOptions> & { readonly hostsText?: string } = {},
) {
  const client = scriptedDns(records)
  const table = parseHosts(options.hostsText ?? '')
  const hosts = { find: (name: string) => table.get(name) }
  const lookUp = createLookUp({ client, hosts, search: NO_SEARCH, validMs: undefined, ...options })
  return { client, lookUp }
}

describe('a look-up', () => {
  it('of what the hosts file knows asks nobody', () => {
    const { client, lookUp } = lookUpWith({}, { hostsText: '10.0.0.1 app' })
    assert.deepEqual(lookUp('app'), { value: ['10.0.0.1'], ttlMs: 30_000 })
    assert.deepEqual(client.questions, [])
  })

  it('of localhost needs no hosts file', () => {
    assert.deepEqual(lookUpWith({}).lookUp('localhost'), { value: ['127.0.0.1'], ttlMs: 30_000 })
  })

  it('gives the addresses in one order, with the shortest of their lives', async () => {
    const { lookUp } = lookUpWith({
      'A app': [
        ['10.0.0.2', 30],
        ['10.0.0.1', 5],
        ['10.0.0.2', 9],
      ],
    })
    assert.deepEqual(await lookUp('app'), { value: ['10.0.0.1', '10.0.0.2'], ttlMs: 5000 })
  })

  it('prefers IPv4 and takes IPv6 where there is no other', async () => {
    const { client, lookUp } = lookUpWith({
      'A both': [['10.0.0.1', 5]],
      'AAAA both': [['::1', 5]],
      'AAAA six': [['::1', 7]],
    })
    assert.deepEqual((await lookUp('both')).value, ['10.0.0.1'])
    assert.deepEqual((await lookUp('six')).value, ['::1'])
    assert.deepEqual(client.questions, ['A both', 'A six', 'AAAA six'])
  })

  it('takes the set validity in place of every TTL', async () => {
    const { lookUp } = lookUpWith({ 'A app': [['10.0.0.1', 5]] }, { validMs: 90_000 })
    assert.equal((await lookUp('app')).ttlMs, 90_000)
  })

  it('goes through the search list: short names with suffixes first, longer ones as they are first', async () => {
    const search = { search: ['ns.svc', 'svc'], ndots: 2 }
    const { client, lookUp } = lookUpWith(
      { 'A app.svc': [['10.0.0.1', 5]], 'A a.b.c': [['10.0.0.2', 5]] },
      { search },
    )
    assert.deepEqual((await lookUp('app')).value, ['10.0.0.1'])
    assert.deepEqual(client.questions, ['A app.ns.svc', 'AAAA app.ns.svc', 'A app.svc'])
    assert.deepEqual((await lookUp('a.b.c')).value, ['10.0.0.2'])
    assert.equal(client.questions.at(-1), 'A a.b.c')
  })

  it('of a name with a trailing dot takes it as it is', async () => {
    const { client, lookUp } = lookUpWith({}, { search: { search: ['svc'], ndots: 5 } })
    await assert.rejects(async () => lookUp('app.'), /A of "app"/)
    assert.deepEqual(client.questions, ['A app', 'AAAA app'])
  })

  it('ends at an unclear answer instead of trying other names', async () => {
    const { client, lookUp } = lookUpWith(
      { 'A app.a': 'SERVFAIL' },
      { search: { search: ['a', 'b'], ndots: 1 } },
    )
    await assert.rejects(async () => lookUp('app'), /SERVFAIL/)
    assert.deepEqual(client.questions, ['A app.a'])
  })
})

describe('an alias', () => {
  it('is followed to its end', async () => {
    const { client, lookUp } = lookUpWith({ 'CNAME a': ['b'], 'CNAME b': ['c'], 'A c': [['10.0.0.1', 5]] })
    assert.deepEqual((await followAlias('a', client, lookUp)).value, ['10.0.0.1'])
  })

  it('that leads in a circle ends', async () => {
    const { client, lookUp } = lookUpWith({ 'CNAME a': ['b'], 'CNAME b': ['a'] })
    await assert.rejects(followAlias('a', client, lookUp), /more than 8 aliases/)
  })
})
