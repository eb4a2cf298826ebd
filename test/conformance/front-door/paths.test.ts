import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { canonicalizeTarget } from '../../../src/lib/canonical-path.ts'
import { fakeUpstream, type ReceivedRequest } from '../../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../../src/testing/start-gateway.ts'
import { rawRequest } from '../../support/raw-client.ts'

/** Spellings of paths, sent as they stand (reliability.md §2.1, CVE-2021-43557 and its kin). */
const TARGETS = [
  '/admin',
  '/./admin',
  '//admin',
  '/a/../admin',
  '/%61dmin',
  '/%61%64%6d%69%6e',
  '/admin%2f',
  '/admin/',
  '/admin/.',
  '/admin/x/..',
  '/a/..;/admin',
  '/admin;x=1',
  '/admin;/x',
  '/ADMIN',
  '/admin?x=/public',
  '/admin%3fx',
  '/admin%23',
  '/a/%2e%2e/admin',
  '/a/%2E./admin',
  '/%2e/admin',
  '/a%2f..%2fadmin',
  '/a%5c..%5cadmin',
  '/a\\..\\admin',
  '/\\admin',
  '/public',
  '/public/../admin',
  '/public/..%2fadmin',
  '/public//..//admin',
  '/public/%2e%2e/admin/%2e%2e/public',
  '/public;/../admin',
  '/admin/../public',
  '/admin%20',
  '/admin%09',
  '/%2561dmin',
  '/admin/%2e%2e%2f',
  '/ad%C4%B1min',
  '/%EF%BC%8Fadmin',
  'http://a/public/../admin',
  'http://a//admin',
]

describe('the path that is decided on', () => {
  const ends: (() => unknown)[] = []
  let gateway: TestGateway
  let requests: readonly ReceivedRequest[]
  before(async () => {
    const t = { after: (end: () => unknown) => void ends.unshift(end) } as never
    const node = await fakeUpstream(t)
    requests = node.requests
    const upstream = { nodes: { [node.address]: 1 } }
    const named = (name: string) => ({
      'response-rewrite': { headers: { set: { 'x-route': name, 'x-seen': '<$uri>' } } },
    })
    gateway = await startGateway(t, {
      routes: {
        admin: { uris: ['/admin', '/admin/*'], plugins: named('admin'), upstream },
        other: { uri: '/*', plugins: named('other'), upstream },
      },
    })
  })
  after(async () => {
    for (const end of ends) await end()
  })

  for (const target of TARGETS) {
    it(`is the one that the node is asked for: ${target}`, async () => {
      const { status, headers } = await rawRequest(
        gateway.proxyPort,
        `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      )
      if (status === 400) return
      assert.equal(status, 200)
      const forwarded = canonicalizeTarget(requests.at(-1)!.url)
      assert.ok(forwarded.ok)
      // Read once more, by the rules of one who resolves dots and merges slashes, it is the path that plugins saw and routes matched.
      assert.equal(`<${forwarded.path}>`, decode(headers['x-seen']!))
      const isAdmin = forwarded.path === '/admin' || forwarded.path.startsWith('/admin/')
      assert.equal(headers['x-route'], isAdmin ? 'admin' : 'other')
    })
  }

  it('is the same host in every spelling', async (t) => {
    const node = await fakeUpstream(t)
    await gateway.put('routes', 'idn', {
      uri: '/host',
      host: 'xn--bcher-kva.example',
      plugins: { 'response-rewrite': { headers: { set: { 'x-route': 'idn' } } } },
      upstream: { nodes: { [node.address]: 1 } },
    })
    for (const host of [
      'xn--bcher-kva.example',
      'XN--BCHER-KVA.Example:80',
      'bücher.example',
      'xn--bcher-kva.example.',
    ]) {
      const line = Buffer.from(host).toString('latin1')
      const { headers } = await rawRequest(
        gateway.proxyPort,
        `GET /host HTTP/1.1\r\nHost: ${line}\r\nConnection: close\r\n\r\n`,
      )
      assert.equal(headers['x-route'], 'idn', host)
    }
  })
})

/** Header values are bytes. */
function decode(value: string): string {
  return Buffer.from(value, 'latin1').toString('utf8')
}
