import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { describe, it } from 'node:test'
import { askedProtocol, UpgradeRequest } from './upgrade-request.ts'

interface Head {
  readonly method?: string
  readonly minor?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** A request as the parser leaves it; its head has `Connection: upgrade` and `Upgrade`. */
function request({ method = 'GET', minor = 1, headers = {} }: Head): UpgradeRequest {
  const made = new UpgradeRequest(new PassThrough() as unknown as Socket)
  made.method = method
  made.httpVersionMajor = 1
  made.httpVersionMinor = minor
  made.headers = { connection: 'upgrade', upgrade: 'websocket', ...headers }
  made.upgrade = true
  return made
}

describe('a request with Upgrade', () => {
  it('may become a tunnel, whatever the protocol, unless that would be for this hop', () => {
    for (const upgrade of ['websocket', 'WebSocket', 'tcp', 'SPDY/3.1', 'a, b', 'http-like', 'h2o']) {
      assert.equal(askedProtocol(request({ headers: { upgrade } })), upgrade)
    }
    for (const upgrade of ['h2c', 'H2C', 'h2', 'HTTP/2.0', 'TLS/1.2', 'tls', 'websocket, h2c', 'h2c,x']) {
      assert.equal(askedProtocol(request({ headers: { upgrade } })), undefined, upgrade)
    }
  })

  it('may not where bytes behind its head are its body', () => {
    assert.equal(askedProtocol(request({ headers: { 'content-length': '0' } })), 'websocket')
    for (const [name, value] of [
      ['content-length', '1'],
      ['transfer-encoding', 'chunked'],
      ['expect', '100-continue'],
    ] as const) {
      assert.equal(askedProtocol(request({ headers: { [name]: value } })), undefined, name)
    }
  })

  it('may not in HTTP/1.0, nor with a method that HTTP does not have', () => {
    assert.equal(askedProtocol(request({ minor: 0 })), undefined)
    assert.equal(askedProtocol(request({ method: 'PLAY' })), undefined)
    assert.equal(request({ method: 'CONNECT' }).upgrade, true)
  })

  it('is an ordinary one when Connection does not say so', () => {
    const plain = request({})
    plain.upgrade = false
    assert.equal(askedProtocol(plain), undefined)
  })
})
