import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { rawRequest } from '../support/raw-client.ts'

/** As sent by the client, and as it has to reach the upstream. */
const TARGETS: readonly (readonly [sent: string, received: string])[] = [
  ['/', '/'],
  ['/a/b', '/a/b'],
  ['/a%2Fb', '/a%2Fb'],
  ['/a%2fb%41', '/a%2fb%41'],
  ['//a//b/', '//a//b/'],
  ['/a;v=1/b;w', '/a;v=1/b;w'],
  ['/caf%C3%A9', '/caf%C3%A9'],
  ['/%ff', '/%ff'],
  ["/!$&'()*+,=:@~_-.", "/!$&'()*+,=:@~_-."],
  ['/{}|"<>^`', '/{}|"<>^`'],
  ['/a?', '/a?'],
  ['/a?b', '/a?b'],
  ['/a?b=%2F..%2f&c=/../x&&d==', '/a?b=%2F..%2f&c=/../x&&d=='],
  ['/a?q=[1]{2}|"x"', '/a?q=[1]{2}|"x"'],
  ['/a??b?c', '/a??b?c'],
  ['http://gateway.test/a%2Fb?c', '/a%2Fb?c'],
  ['http://gateway.test?c', '/?c'],
  // Dot segments and backslashes go on in the form that they were matched in (decisions 23).
  ['/x/../a?b=../c', '/a?b=../c'],
  ['/x/%2e%2e/a', '/a'],
  ['/./a', '/a'],
]

describe('path and query', () => {
  it('reach the upstream as they were sent', async (t) => {
    const upstream = await fakeUpstream(t)
    const gateway = await startGateway(t, {
      routes: { 1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } },
    })
    for (const [sent, received] of TARGETS) {
      const { status } = await rawRequest(
        gateway.proxyPort,
        `GET ${sent} HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n`,
      )
      assert.equal(status, 200, sent)
      assert.equal(upstream.requests.at(-1)!.url, received, sent)
    }
  })

  it('that cannot be read are refused without reaching anyone', async (t) => {
    const upstream = await fakeUpstream(t)
    const gateway = await startGateway(t, {
      routes: { 1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } },
    })
    for (const target of ['/../a', '/a/../../b', '/%zz', '/%00', '*', '/a#b', '/caf\xc3\xa9']) {
      const method = target === '*' ? 'OPTIONS' : 'GET'
      const answer = await rawRequest(gateway.proxyPort, `${method} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)
      assert.equal(answer.status, 400, target)
      assert.equal(answer.headers['connection'], 'close', target)
      assert.equal(answer.body, '{"error_msg":"400 Bad Request"}\n', target)
    }
    assert.equal(upstream.requests.length, 0)
  })
})
