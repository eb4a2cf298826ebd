import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatAddress, isSchemePort, readTimeouts, readUpstream } from './spec.ts'

describe('an upstream document', () => {
  it('is read with every default', () => {
    assert.deepEqual(readUpstream({ nodes: { 'a.test': 1 } }), {
      type: 'roundrobin',
      nodes: [{ host: 'a.test', port: 80, weight: 1, priority: 0 }],
      scheme: 'http',
      hashOn: 'vars',
      hashKey: undefined,
      passHost: 'pass',
      upstreamHost: undefined,
      retries: undefined,
      retryTimeoutMs: 0,
      timeouts: { connectMs: 60_000, sendMs: 60_000, readMs: 60_000 },
      keepalive: { size: 320, idleMs: 60_000, requests: 1000 },
      tls: undefined,
      checks: undefined,
    })
  })

  it('names nodes by host, port and IPv6 in brackets, and the port may go without saying', () => {
    const addresses = { 'a.test:81': 1, 'b.test': 2, '[::1]:82': 3, '[fd00::1]': 0 }
    assert.deepEqual(
      readUpstream({ scheme: 'https', nodes: addresses }).nodes.map(({ host, port, weight }) => [
        host,
        port,
        weight,
      ]),
      [
        ['a.test', 81, 1],
        ['b.test', 443, 2],
        ['::1', 82, 3],
        ['fd00::1', 443, 0],
      ],
    )
    const nodes = [
      { host: '[::1]', port: 1, weight: 2, priority: -1 },
      { host: 'c', weight: 1 },
    ]
    assert.deepEqual(readUpstream({ nodes: nodes as never }).nodes, [
      { host: '::1', port: 1, weight: 2, priority: -1 },
      { host: 'c', port: 80, weight: 1, priority: 0 },
    ])
  })

  it('is refused, with the reason, when it asks for what is not served', () => {
    assert.throws(() => readUpstream({ scheme: 'tcp', nodes: {} }), /scheme "tcp" is not served/)
    assert.throws(() => readUpstream({ nodes: { '::1:80': 1 } }), /"::1:80" is no host:port.*brackets/)
  })

  it('gives times in seconds, and none that a timer would take for at once', () => {
    assert.deepEqual(readTimeouts({ connect: 0.5, send: 1, read: 1e9 }), {
      connectMs: 500,
      sendMs: 1000,
      readMs: 2 ** 31 - 1,
    })
    assert.equal(readTimeouts(undefined), undefined)
    assert.equal(readUpstream({ nodes: {}, retry_timeout: 1.5 }).retryTimeoutMs, 1500)
  })

  it('writes addresses as a URL does', () => {
    assert.equal(formatAddress('::1', 80), '[::1]:80')
    assert.equal(formatAddress('a', 80), 'a:80')
    assert.deepEqual(
      [isSchemePort('http', 80), isSchemePort('https', 80), isSchemePort('https', 443)],
      [true, false, true],
    )
  })
})
