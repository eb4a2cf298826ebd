import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AGENT_WORD, isWord, RegistryKeys, readEndpoint } from './records.ts'

describe('the endpoint of a node', () => {
  const read: [endpoint: string, expected: ReturnType<typeof readEndpoint>][] = [
    ['http://10.0.0.1:8080', { host: '10.0.0.1', port: 8080 }],
    ['10.0.0.1:8080', { host: '10.0.0.1', port: 8080 }],
    ['https://svc.local', { host: 'svc.local', port: 443 }],
    ['grpc://svc/', { host: 'svc', port: 80 }],
    ['http://[::1]:81', { host: '::1', port: 81 }],
    ['svc', undefined],
    ['http://svc:0', undefined],
    ['http://svc:65536', undefined],
    ['ftp://svc:21', undefined],
    ['http://user@svc:1', undefined],
    ['http://svc:1/path', undefined],
    ['unix:/run/x.sock', { host: '/run/x.sock', port: 0 }],
    [`unix:/${'x'.repeat(106)}`, { host: `/${'x'.repeat(106)}`, port: 0 }],
    [`unix:/${'x'.repeat(107)}`, undefined],
    ['unix:run/x', undefined],
    ['unix:/run/../x', undefined],
    ['unix:/run/./x', undefined],
    ['unix:/run//x', undefined],
    ['unix:/run/', undefined],
    ['unix:/run/x y', undefined],
    ['unix://run/x', undefined],
    ['', undefined],
  ]
  for (const [endpoint, expected] of read) {
    it(`${endpoint || 'nothing'} is ${expected ? `${expected.host} and ${expected.port}` : 'none'}`, () => {
      assert.deepEqual(readEndpoint(endpoint), expected)
    })
  }
})

describe('keys of the registry', () => {
  it('are read as they are written, and no others', () => {
    const keys = new RegistryKeys('/apisix')
    assert.deepEqual(keys.read(keys.agent('chat', 'a')), { kind: 'agents', id: 'chat/a' })
    assert.deepEqual(keys.read(keys.node('n')), { kind: 'nodes', id: 'n' })
    assert.deepEqual(keys.read('/apisix/registry/agents/chat/a')?.id, 'chat/a')
    for (const key of [
      '/apisix/registry2/nodes/n',
      '/apisix/registry/other/n',
      '/apisix/registry/nodes/',
      '/apisix/routes/1',
    ])
      assert.equal(keys.read(key), undefined)
  })

  it('hold no words that lead elsewhere', () => {
    for (const word of ['.', '..', '', 'a/b', 'a b', 'ä', 'x'.repeat(65)])
      assert.equal(isWord(word, AGENT_WORD), false)
    for (const word of ['a', '...', 'a.b-c_D9', 'x'.repeat(64)]) assert.equal(isWord(word, AGENT_WORD), true)
  })
})
