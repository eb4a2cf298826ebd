import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brotliDecompressSync, constants } from 'node:zlib'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { describePacking } from '../_shared/compress/packing-contract.ts'
import brotli from './index.ts'

describePacking({
  plugin: brotli,
  coding: 'br',
  unpack: (bytes) => brotliDecompressSync(bytes),
  unpackBegun: (bytes) => brotliDecompressSync(bytes, { finishFlush: constants.BROTLI_OPERATION_FLUSH }),
})

describe('brotli itself', () => {
  it('takes the parameters of brotli', async () => {
    for (const config of [
      { mode: 1, comp_level: 0, lgwin: 10, lgblock: 16 },
      { mode: 2, comp_level: 11, lgwin: 0, lgblock: 0 },
    ]) {
      const upstream = { body: 'hello', headers: { 'Content-Type': 'text/html' } }
      const mounted = mountPlugin(brotli, config)
      const answer = await mounted.request({ headers: { 'accept-encoding': 'br' }, upstream })
      assert.equal(brotliDecompressSync(answer.bytes).toString(), 'hello')
    }
  })

  it('refuses others', () => {
    assert.match(refusal(brotli, { lgwin: 9 }) ?? '', /matches none of the enum values/)
    assert.match(refusal(brotli, { lgblock: 15 }) ?? '', /matches none of the enum values/)
    assert.match(refusal(brotli, { mode: 3 }) ?? '', /expected 3 to be at most 2/)
  })

  it('goes before gzip for a client that takes both', async (t) => {
    const html = { 'content-type': 'text/html' }
    const node = await fakeUpstream(t, (_request, response) =>
      response.writeHead(200, html).end('x'.repeat(99)),
    )
    const plugins = { gzip: {}, brotli: {} }
    const gateway = await startGateway(t, {
      routes: { 1: { uri: '/*', plugins, upstream: { nodes: { [node.address]: 1 } } } },
    })
    const coding = async (accepted: string) =>
      (await fetch(gateway.proxyUrl, { headers: { 'accept-encoding': accepted } })).headers.get(
        'content-encoding',
      )
    assert.equal(await coding('gzip, br'), 'br')
    assert.equal(await coding('gzip'), 'gzip')
  })
})
