import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeDns } from '../../test/support/fake-dns.ts'
import { BACKGROUND_CLOCK } from '../lib/clock.ts'
import { createDnsClient, type DnsClient } from './dns-client.ts'

function clientOf(address: string, timeoutMs = 2000): DnsClient {
  return createDnsClient({ servers: [address], timeoutMs, clock: BACKGROUND_CLOCK })
}

describe('a DNS client', () => {
  it('reads records of all types, with their lives', async (t) => {
    const dns = await fakeDns(t)
    dns.set('A', 'app.test', ['10.0.0.1'], 7)
    dns.set('AAAA', 'app.test', ['2001:db8::5'], 9)
    dns.set('CNAME', 'www.test', ['app.test'], 5)
    dns.set('SRV', '_http._tcp.test', [{ target: 'app.test', port: 81, weight: 2, priority: 3 }])
    const client = clientOf(dns.address)
    assert.deepEqual(await client.a('app.test'), [{ address: '10.0.0.1', ttlMs: 7000 }])
    assert.deepEqual(await client.aaaa('app.test'), [{ address: '2001:db8::5', ttlMs: 9000 }])
    assert.deepEqual(await client.cname('www.test'), ['app.test'])
    assert.deepEqual(await client.srv('_http._tcp.test'), [
      { target: 'app.test', port: 81, weight: 2, priority: 3 },
    ])
  })

  it('holds an address behind an alias no longer than the alias', async (t) => {
    const dns = await fakeDns(t)
    dns.set('CNAME', 'www.test', ['app.test'], 5)
    dns.set('A', 'app.test', ['10.0.0.1'], 700)
    assert.deepEqual(await clientOf(dns.address).a('www.test'), [{ address: '10.0.0.1', ttlMs: 5000 }])
  })

  it('tells what does not exist from what is not answered', async (t) => {
    const dns = await fakeDns(t)
    dns.set('A', 'empty.test', [])
    dns.fail('broken.test', 'SERVFAIL')
    dns.fail('refused.test', 'REFUSED')
    const client = clientOf(dns.address)
    await assert.rejects(client.a('none.test'), { kind: 'absent', message: /A of "none.test": .*ENOTFOUND/ })
    await assert.rejects(client.a('empty.test'), { kind: 'absent', message: /ENODATA/ })
    await assert.rejects(client.a('broken.test'), { kind: 'unknown', message: /ESERVFAIL/ })
    await assert.rejects(client.a('refused.test'), { kind: 'unknown', message: /EREFUSED/ })
  })

  it('waits for an answer as long as it was told, and asks twice meanwhile', async (t) => {
    const dns = await fakeDns(t)
    dns.failAll('silence')
    const startedAt = Date.now()
    await assert.rejects(clientOf(dns.address, 1800).a('app.test'), { kind: 'unknown' })
    assert.ok(Date.now() - startedAt < 5000)
    assert.equal(dns.questions.length, 2)
  })

  it('asks each question anew: it keeps nothing', async (t) => {
    const dns = await fakeDns(t)
    dns.set('A', 'app.test', ['10.0.0.1'], 600)
    const client = clientOf(dns.address)
    await client.a('app.test')
    dns.set('A', 'app.test', ['10.0.0.2'], 600)
    assert.equal((await client.a('app.test'))[0]?.address, '10.0.0.2')
  })

  it('has no more than 64 questions under way', async (t) => {
    const dns = await fakeDns(t)
    dns.failAll('silence')
    const client = clientOf(dns.address, 60_000)
    const asked = Array.from({ length: 100 }, (_, index) => client.a(`n${index}.test`).catch(() => undefined))
    const deadline = Date.now() + 2000
    while (dns.questions.length < 64 && Date.now() < deadline) await new Promise(setImmediate)
    assert.equal(new Set(dns.questions).size, 64)
    client.close()
    await Promise.all(asked)
    assert.equal(new Set(dns.questions).size, 64)
  })

  it('refuses a server that is no address', () => {
    assert.throws(() => clientOf('dns.test'), /Invalid IP address/)
  })
})
