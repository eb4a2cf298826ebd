import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { rawRequest } from '../support/raw-client.ts'

const GET = 'GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n'

/** What a client gets of `hello` when a plugin writes these lines onto the answer. */
async function answerWith(t: Parameters<typeof fakeUpstream>[0], lines: readonly string[], request = GET) {
  const { port } = await fakeUpstream(t, (_request, response) => {
    response.setHeader('Content-Length', '5')
    response.end('hello')
  })
  const { proxyPort } = await startGateway(t, {
    routes: {
      1: {
        uri: '/a',
        plugins: { 'response-rewrite': { headers: { add: lines } } },
        upstream: { nodes: { [`127.0.0.1:${port}`]: 1 } },
      },
    },
  })
  return rawRequest(proxyPort, request)
}

describe('what frames an answer', () => {
  it('is the gateway’s to say: a plugin neither adds a second length nor another coding', async (t) => {
    const lines = ['Content-Length: 3', 'Transfer-Encoding: chunked', 'Connection: X-Kept', 'X-Kept: 1']
    const { text, headers, body } = await answerWith(t, lines)
    assert.equal(text.match(/^content-length:/gim)?.length, 1, text)
    assert.equal(headers['content-length'], '5')
    assert.equal(headers['transfer-encoding'], undefined)
    assert.equal(headers['connection'], 'close')
    assert.equal(headers['x-kept'], '1')
    assert.equal(body, 'hello')
  })

  it('ends the connection where a plugin says so', async (t) => {
    const answer = await answerWith(t, ['Connection: close'], GET.replace(/Connection.*\r\n/, ''))
    assert.equal(answer.headers['connection'], 'close')
    assert.equal(answer.body, 'hello')
  })
})
