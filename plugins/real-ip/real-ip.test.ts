import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import realIp from './index.ts'

type Headers = Readonly<Record<string, string | readonly string[]>>

const PEER = '192.0.2.1'

/** The client's address and port after the plugin. */
async function found(config: Record<string, unknown>, headers: Headers = {}, target = '/') {
  const { context } = await mountPlugin(realIp, config).request({ headers, target, remoteAddr: PEER })
  return [context.var('remote_addr'), context.var('remote_port')]
}

describe('real-ip', () => {
  it('takes the address, and the port if there is one, from any variable', async () => {
    const inHeader = (value: string) => found({ source: 'http_x_real_ip' }, { 'x-real-ip': value })
    assert.deepEqual(await inHeader('10.1.2.3'), ['10.1.2.3', '40000'])
    assert.deepEqual(await inHeader('10.1.2.3:81'), ['10.1.2.3', '81'])
    assert.deepEqual(await inHeader('2001:DB8::0:1'), ['2001:db8::1', '40000'])
    assert.deepEqual(await inHeader('[2001:db8::1]'), ['2001:db8::1', '40000'])
    assert.deepEqual(await inHeader('[2001:db8::1]:65535'), ['2001:db8::1', '65535'])
    assert.deepEqual(await inHeader('::ffff:10.1.2.3'), ['10.1.2.3', '40000'])
    const inQuery = await found({ source: 'arg_realip' }, {}, '/?realip=10.9.8.7:1')
    assert.deepEqual(inQuery, ['10.9.8.7', '1'])
  })

  it('keeps the address of the connection when there is none or it is none', async () => {
    const kept = [PEER, '40000']
    assert.deepEqual(await found({ source: 'http_x_real_ip' }), kept)
    for (const bad of [
      '',
      'jack',
      '1.2.3',
      '010.0.0.1',
      '1.2.3.4:0',
      '1.2.3.4:65536',
      '1.2.3.4:',
      'fe80::1%1',
    ])
      assert.deepEqual(await found({ source: 'http_x_real_ip' }, { 'x-real-ip': bad }), kept, bad)
  })

  it('takes no address from a header that stands twice', async () => {
    const twice = { 'x-real-ip': ['10.1.1.1', '10.2.2.2'] }
    assert.deepEqual(await found({ source: 'http_x_real_ip' }, twice), [PEER, '40000'])
  })

  it('takes the word of trusted addresses only', async () => {
    const headers = { 'x-real-ip': '10.1.2.3' }
    const trusting = (...trusted_addresses: string[]) =>
      found({ source: 'http_x_real_ip', trusted_addresses }, headers)
    assert.deepEqual(await trusting('192.0.2.0/24'), ['10.1.2.3', '40000'])
    assert.deepEqual(await trusting('10.0.0.0/8', '2001:db8::/32'), [PEER, '40000'])
  })

  it('takes the last address of X-Forwarded-For, over all of its lines', async () => {
    const config = { source: 'http_x_forwarded_for' }
    const chain = (value: string | string[]) => found(config, { 'x-forwarded-for': value })
    assert.deepEqual(await chain('10.1.1.1, 10.2.2.2'), ['10.2.2.2', '40000'])
    assert.deepEqual(await chain(['10.1.1.1', '10.2.2.2,10.3.3.3:80']), ['10.3.3.3', '80'])
    assert.deepEqual(await chain('10.1.1.1, unknown'), [PEER, '40000'])
  })

  it('passes over trusted addresses in it when recursive', async () => {
    const config = {
      source: 'http_x_forwarded_for',
      trusted_addresses: ['192.0.2.1', '10.0.0.0/8'],
      recursive: true,
    }
    const chain = async (value: string) => (await found(config, { 'x-forwarded-for': value }))[0]
    assert.equal(await chain('6.6.6.6, 198.51.100.7, 10.2.2.2:80, 10.3.3.3'), '198.51.100.7')
    assert.equal(await chain('10.1.1.1, 10.2.2.2'), '10.1.1.1')
    assert.equal(await chain('6.6.6.6, junk, 10.2.2.2'), PEER)
    assert.equal(await chain('198.51.100.7, 10.2.2.2'), '198.51.100.7')
  })

  it('refuses what cannot be used', () => {
    assert.match(refusal(realIp, {}) ?? '', /property "source" is required/)
    assert.match(refusal(realIp, { source: '' }) ?? '', /string too short/)
    const refused = (...trusted_addresses: unknown[]) =>
      refusal(realIp, { source: 'a', trusted_addresses }) ?? ''
    assert.equal(refused('10.0.0.0/8', '10.0.0/8'), 'invalid ip address: 10.0.0/8')
    assert.equal(refused('127.0.0.1/33'), 'invalid ip address: 127.0.0.1/33')
    assert.match(refused(), /at least 1 items/)
  })
})

describe('real-ip in a gateway', () => {
  it('is followed by what guards by address and by what the node is told', async (t) => {
    const node = await fakeUpstream(t)
    const gateway = await startGateway(t, {
      routes: {
        1: {
          uri: '/*',
          plugins: {
            'real-ip': { source: 'http_x_forwarded_for', trusted_addresses: ['127.0.0.0/8'] },
            'ip-restriction': { blacklist: ['198.51.100.7'] },
          },
          upstream: { nodes: { [node.address]: 1 } },
        },
      },
    })
    const ask = (chain: string) => fetch(gateway.proxyUrl, { headers: { 'x-forwarded-for': chain } })
    assert.equal((await ask('1.1.1.1, 198.51.100.7')).status, 403)
    assert.equal((await ask('198.51.100.7, 203.0.113.9')).status, 200)
    const { headers } = node.requests[0]!
    assert.equal(headers['x-real-ip'], '203.0.113.9')
    assert.equal(headers['x-forwarded-for'], '198.51.100.7, 203.0.113.9, 203.0.113.9')
  })
})
