import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { rawConnect, rawRequest } from '../support/raw-client.ts'

const HEAD = 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n'

describe('Expect: 100-continue', () => {
  it('is answered once the body is wanted, and the upstream never hears of it', async (t) => {
    const upstream = await fakeUpstream(t, (request, response) => void request.pipe(response))
    const gateway = await startGateway(t, {
      routes: { 1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } },
    })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(HEAD)
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/)
    client.send('hello')
    await client.until(/HTTP\/1\.1 200 OK\r\n.*hello/s)
    assert.equal(upstream.requests[0]!.headers.expect, undefined)
    // The connection goes on.
    client.send(HEAD)
    await client.until(/hello.*100 Continue/s)
    client.socket.destroy()
  })

  it('is not answered before there is a connection to the upstream', async (t) => {
    const gateway = await startGateway(t, {
      routes: { 1: { uri: '/*', upstream: { nodes: { '127.0.0.1:1': 1 } } } },
    })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(HEAD)
    const text = await client.untilClosed()
    assert.match(text, /^HTTP\/1\.1 502 /)
  })

  it('of a refused request ends the connection unasked: nobody could tell the body from a next request', async (t) => {
    const upstream = await fakeUpstream(t)
    const gateway = await startGateway(t, {
      routes: {
        1: { uri: '/*', plugins: { 'key-auth': {} }, upstream: { nodes: { [upstream.address]: 1 } } },
      },
    })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(HEAD)
    const text = await client.untilClosed()
    assert.match(text, /^HTTP\/1\.1 401 .*connection: close\r\n/is)
    assert.doesNotMatch(text, /100 Continue/)
  })

  it('in any other form is refused', async (t) => {
    const upstream = await fakeUpstream(t)
    const gateway = await startGateway(t, {
      routes: { 1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } },
    })
    for (const value of [
      '200-ok',
      '100-continue, x',
      'x 100-continue',
      '100-continue\r\nExpect: 100-continue',
    ]) {
      const answer = await rawRequest(
        gateway.proxyPort,
        `POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\nExpect: ${value}\r\n\r\n`,
      )
      assert.equal(answer.status, 417, value)
    }
    assert.equal(upstream.requests.length, 0)
  })

  it('of an HTTP/1.0 client means nothing', async (t) => {
    const upstream = await fakeUpstream(t, (request, response) => void request.pipe(response))
    const gateway = await startGateway(t, {
      routes: { 1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } },
    })
    const answer = await rawRequest(gateway.proxyPort, `${HEAD.replace('HTTP/1.1', 'HTTP/1.0')}hello`)
    assert.deepEqual([answer.status, answer.body], [200, 'hello'])
  })
})
