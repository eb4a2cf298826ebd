import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import { createGenerator, type GeneratorOptions } from './algorithms.ts'
import requestId from './index.ts'

const NOW = Date.UTC(2026, 0, 1)
const SHAPES = {
  uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  nanoid: /^[A-Za-z0-9_-]{21}$/,
  range_id: /^[A-Za-z0-9]{16}$/,
  ksuid: /^[0-9A-Za-z]{27}$/,
  uuidv7: /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
}

function generator(algorithm: GeneratorOptions['algorithm'], options: Partial<GeneratorOptions> = {}) {
  return createGenerator({
    algorithm,
    rangeId: { length: 6, char_set: 'abcdef' },
    now: () => NOW,
    ...options,
  })
}

describe('request-id', () => {
  it('gives upstream and client the same new id', async () => {
    const mounted = mountPlugin(requestId, {})
    const first = await mounted.request()
    const id = first.sent?.headers.get('x-request-id')
    assert.match(id ?? '', SHAPES.uuid)
    assert.equal(first.headers.get('x-request-id'), id)
    const second = await mounted.request()
    assert.notEqual(second.headers.get('x-request-id'), id)
  })

  it("keeps the client's id", async () => {
    const answer = await mountPlugin(requestId, {}).request({ headers: { 'x-request-id': 'mine' } })
    assert.deepEqual(answer.sent?.headers.all('x-request-id'), ['mine'])
    assert.equal(answer.headers.get('x-request-id'), 'mine')
  })

  it("leaves the upstream's own response header alone", async () => {
    const answer = await mountPlugin(requestId, {}).request({
      upstream: { headers: { 'X-Request-Id': 'upstreams' } },
    })
    assert.deepEqual(answer.headers.all('x-request-id'), ['upstreams'])
  })

  it('says nothing to the client when include_in_response is false', async () => {
    const answer = await mountPlugin(requestId, { include_in_response: false }).request()
    assert.match(answer.sent?.headers.get('x-request-id') ?? '', SHAPES.uuid)
    assert.equal(answer.headers.has('x-request-id'), false)
  })

  it('uses the configured header name, spelt as configured', async () => {
    const answer = await mountPlugin(requestId, { header_name: 'X-Trace' }).request()
    assert.ok(answer.headers.raw().includes('X-Trace'))
    assert.equal(answer.headers.get('x-trace'), answer.sent?.headers.get('x-trace'))
  })

  it('serves two configurations with different headers in one request', async () => {
    const mounted = mountPlugin(requestId, { header_name: 'X-A' })
    mounted.add({ header_name: 'X-B', algorithm: 'nanoid' })
    const answer = await mounted.request()
    assert.match(answer.headers.get('x-a') ?? '', SHAPES.uuid)
    assert.match(answer.headers.get('x-b') ?? '', SHAPES.nanoid)
  })

  for (const [algorithm, shape] of Object.entries(SHAPES)) {
    it(`makes ids of algorithm ${algorithm}, all different`, async () => {
      const mounted = mountPlugin(requestId, { algorithm })
      const ids = new Set<string>()
      for (let i = 0; i < 200; i++) {
        const id = (await mounted.request()).headers.get('x-request-id') ?? ''
        assert.match(id, shape)
        ids.add(id)
      }
      assert.equal(ids.size, 200)
    })
  }

  it('draws range ids of the given length from the given characters, each as likely as any other', () => {
    const make = generator('range_id', { rangeId: { length: 6000, char_set: 'abcdef' } })
    const counts = new Map<string, number>()
    for (const char of make()) counts.set(char, (counts.get(char) ?? 0) + 1)
    assert.deepEqual([...counts.keys()].sort().join(''), 'abcdef')
    for (const count of counts.values()) assert.ok(count > 800 && count < 1200, `${count} of 6000`)
  })

  it('takes characters of a set with more than 256 of them', () => {
    const characters = Array.from({ length: 300 }, (_, i) => String.fromCharCode(0x4e00 + i)).join('')
    const id = generator('range_id', { rangeId: { length: 50, char_set: characters } })()
    assert.equal(id.length, 50)
    for (const char of id) assert.ok(characters.includes(char))
  })

  it('puts the time into uuidv7 and ksuid, so that they sort by it', () => {
    const uuid = generator('uuidv7')()
    assert.equal(Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16), NOW)
    const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
    let value = 0n
    for (const char of generator('ksuid')()) value = value * 62n + BigInt(alphabet.indexOf(char))
    assert.equal(Number(value >> 128n) + 1_400_000_000, NOW / 1000)
    const later = generator('ksuid', { now: () => NOW + 1000 })()
    assert.ok(generator('ksuid')() < later)
  })

  it('refuses what cannot be a header or an id', () => {
    assert.match(refusal(requestId, { header_name: 'X Id' }) ?? '', /header_name "X Id" is not a header name/)
    assert.match(refusal(requestId, { algorithm: 'snowflake' }) ?? '', /matches none of the enum values/)
    assert.match(refusal(requestId, { range_id: { length: 5 } }) ?? '', /expected 5 to be at least 6/)
    assert.match(refusal(requestId, { range_id: { char_set: 'abc' } }) ?? '', /string too short/)
    assert.match(refusal(requestId, { range_id: { char_set: 'abc\r\nd' } }) ?? '', /cannot stand in a header/)
    assert.match(refusal(requestId, { range_id: { length: 1e9 } }) ?? '', /too long for a header; use 6–1024/)
  })
})
