import assert from 'node:assert/strict'
import { constants } from 'node:http2'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { ask, connectHttp2 } from '../support/http2-client.ts'
import { connectFrames, END_HEADERS, END_STREAM, FRAME, frame, request } from '../support/http2-frames.ts'

const ONCE = END_HEADERS | END_STREAM
const data = (stream: number) => frame(FRAME.data, { stream, payload: Buffer.from('x') })
const undecodable = frame(FRAME.headers, { flags: ONCE, stream: 3, payload: Buffer.from([0x80]) })

const FAULTS = [
  ['a header block that cannot be decoded', undecodable, constants.NGHTTP2_COMPRESSION_ERROR],
  ['a body on a stream that is over', data(1), constants.NGHTTP2_STREAM_CLOSED],
  ['a body on a stream that was never opened', data(7), constants.NGHTTP2_PROTOCOL_ERROR],
] as const

describe('an HTTP/2 connection on which the client has broken the protocol', () => {
  for (const [what, bytes, code] of FAULTS) {
    it(`ends soon and is counted: ${what}`, async (t) => {
      const node = await fakeUpstream(t)
      const routes = { all: { uri: '/*', upstream: { nodes: { [node.address]: 1 } } } }
      const settings = { 'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }] }
      const gateway = await startGateway(t, { routes }, { settings })
      const bystander = await connectHttp2(t, gateway.proxyUrl)
      const connection = await connectFrames(t, gateway.proxyPort)
      await connection.send(Buffer.concat([request(1), bytes]))
      await connection.untilClosed(10_000)
      assert.equal(connection.goaway, code)
      const metrics = await fetch(
        `http://127.0.0.1:${gateway.addresses.metrics!.port}/apisix/prometheus/metrics`,
      )
      assert.match(
        await metrics.text(),
        /^gatewright_http2_cut_connections_total\{reason="protocol-error"\} 1$/m,
      )
      const { status } = await ask(bystander, { ':path': '/', ':authority': 'a' })
      assert.equal(status, 200)
    })
  }

  it('is not one that the client has said good-bye on', async (t) => {
    const settings = { 'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }] }
    const gateway = await startGateway(t, {}, { settings })
    const connection = await connectFrames(t, gateway.proxyPort)
    await connection.send(Buffer.concat([request(1), frame(FRAME.goaway, { payload: Buffer.alloc(8) })]))
    await connection.untilClosed(10_000)
    assert.ok(!gateway.logs.some(({ reason }) => reason === 'protocol-error'))
  })
})
