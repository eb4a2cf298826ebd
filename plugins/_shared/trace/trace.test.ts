import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HeaderList } from '../../../src/plugin/context/header-list.ts'
import { IdSource } from './id-source.ts'
import { readTraceparent, traceparentOf } from './traceparent.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const read = (...values: string[]) =>
  readTraceparent(new HeaderList(values.flatMap((value) => ['Traceparent', value])))

describe('traceparent', () => {
  it('is read by its flags', () => {
    assert.deepEqual(read(`00-${TRACE}-${SPAN}-01`), { traceId: TRACE, spanId: SPAN, isSampled: true })
    assert.equal(read(`00-${TRACE}-${SPAN}-00`)?.isSampled, false)
    assert.equal(read(`00-${TRACE}-${SPAN}-fe`)?.isSampled, false)
    assert.equal(read(`00-${TRACE}-${SPAN}-03`)?.isSampled, true)
  })

  it('of a later version is read as far as it is known', () => {
    assert.equal(read(`cc-${TRACE}-${SPAN}-01`)?.traceId, TRACE)
    assert.equal(read(`cc-${TRACE}-${SPAN}-01-what-comes`)?.traceId, TRACE)
  })

  it('is not believed when it is malformed', () => {
    const bad = [
      '',
      `00-${TRACE}-${SPAN}`,
      `00-${TRACE}-${SPAN}-1`,
      `00-${TRACE}-${SPAN}-01-more`,
      `00-${TRACE}-${SPAN}-01x`,
      `ff-${TRACE}-${SPAN}-01`,
      `00-${TRACE.toUpperCase()}-${SPAN}-01`,
      `00-${'0'.repeat(32)}-${SPAN}-01`,
      `00-${TRACE}-${'0'.repeat(16)}-01`,
      `00-${TRACE.slice(1)}-${SPAN}-01`,
      `00_${TRACE}_${SPAN}_01`,
      ` 00-${TRACE}-${SPAN}-01`,
    ]
    for (const value of bad) assert.equal(read(value), undefined, value)
    assert.equal(read(), undefined)
    assert.equal(read(`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`), undefined)
  })

  it('is written in version 00', () => {
    assert.equal(traceparentOf({ traceId: TRACE, spanId: SPAN, isSampled: true }), `00-${TRACE}-${SPAN}-01`)
    assert.equal(traceparentOf({ traceId: TRACE, spanId: SPAN, isSampled: false }), `00-${TRACE}-${SPAN}-00`)
  })
})

describe('ids', () => {
  it('are of their length and do not come twice, over many fillings of the pool', () => {
    const ids = new IdSource()
    const seen = new Set<string>()
    for (let i = 0; i < 2000; i++) {
      const trace = ids.traceId()
      const span = ids.spanId()
      assert.match(trace, /^[0-9a-f]{32}$/)
      assert.match(span, /^[0-9a-f]{16}$/)
      seen.add(trace).add(span)
    }
    assert.equal(seen.size, 4000)
  })

  it('come with fractions that are spread over [0, 1)', () => {
    const ids = new IdSource()
    const all = Array.from({ length: 4000 }, () => ids.fraction())
    assert.ok(all.every((value) => value >= 0 && value < 1))
    const mean = all.reduce((sum, value) => sum + value, 0) / all.length
    assert.ok(Math.abs(mean - 0.5) < 0.05, String(mean))
  })
})
