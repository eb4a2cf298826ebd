import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { rawRequest } from '../support/raw-client.ts'

const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

describe('a body that leaves in one write with its head', () => {
  it('arrives byte for byte, with a length and without', async (t) => {
    const upstream = await fakeUpstream(t, (request, response) => {
      if (request.url === '/length') response.setHeader('Content-Length', EVERY_BYTE.length)
      response.end(EVERY_BYTE)
    })
    const nodes = { [upstream.address]: 1 }
    const gateway = await startGateway(t, { routes: { 1: { uri: '/*', upstream: { nodes } } } })
    for (const path of ['/length', '/chunked']) {
      const response = await fetch(gateway.proxyUrl + path)
      assert.deepEqual(Buffer.from(await response.arrayBuffer()), EVERY_BYTE)
    }
  })

  it('arrives once when the next request of the connection is already there', async (t) => {
    const upstream = await fakeUpstream(t, (request, response) => response.end(`<${request.url}>`))
    const nodes = { [upstream.address]: 1 }
    const gateway = await startGateway(t, { routes: { 1: { uri: '/*', upstream: { nodes } } } })
    const get = (path: string, last = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${last}\r\n`
    const { text } = await rawRequest(
      gateway.proxyPort,
      get('/1') + get('/2') + get('/3', 'Connection: close\r\n'),
    )
    assert.deepEqual(text.match(/<\/\d>/g), ['</1>', '</2>', '</3>'])
    assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 3)
  })

  it('is left out for HEAD, and goes to an HTTP/1.0 client up to the end of the connection', async (t) => {
    const upstream = await fakeUpstream(t, (_request, response) => {
      response.setHeader('Content-Length', 4)
      response.end('body')
    })
    const nodes = { [upstream.address]: 1 }
    const gateway = await startGateway(t, { routes: { 1: { uri: '/*', upstream: { nodes } } } })
    const head = await rawRequest(
      gateway.proxyPort,
      'HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    )
    assert.equal(head.body, '')
    assert.equal(head.headers['content-length'], '4')
    const old = await rawRequest(gateway.proxyPort, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n')
    assert.equal(old.body, 'body')
  })
})
