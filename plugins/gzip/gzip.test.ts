import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { constants, gunzipSync } from 'node:zlib'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import { describePacking } from '../_shared/compress/packing-contract.ts'
import gzip from './index.ts'

describePacking({
  plugin: gzip,
  coding: 'gzip',
  unpack: (bytes) => gunzipSync(bytes),
  unpackBegun: (bytes) => gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }),
})

describe('gzip itself', () => {
  it('packs answers 200, 403 and 404 only, as nginx does', async () => {
    const mounted = mountPlugin(gzip, {})
    const isPacked = async (status: number) => {
      const upstream = { status, body: 'x', headers: { 'Content-Type': 'text/html' } }
      const answer = await mounted.request({ headers: { 'accept-encoding': 'gzip' }, upstream })
      return answer.headers.has('content-encoding')
    }
    for (const status of [200, 403, 404]) assert.equal(await isPacked(status), true, String(status))
    for (const status of [201, 301, 500]) assert.equal(await isPacked(status), false, String(status))
  })

  it('packs more tightly at a higher level, and takes the buffers of nginx', async () => {
    const body = Array.from({ length: 3000 }, (_, i) => `line ${(i * 7919) % 1000} of a page`).join('\n')
    const size = async (comp_level: number) => {
      const mounted = mountPlugin(gzip, { comp_level, buffers: { number: 16, size: 8192 } })
      const upstream = { body, headers: { 'Content-Type': 'text/html' } }
      return (await mounted.request({ headers: { 'accept-encoding': 'gzip' }, upstream })).bytes.length
    }
    assert.ok((await size(9)) < (await size(1)))
    assert.match(refusal(gzip, { comp_level: 0 }) ?? '', /expected 0 to be at least 1/)
    assert.match(refusal(gzip, { buffers: { number: 0 } }) ?? '', /expected 0 to be at least 1/)
  })
})
