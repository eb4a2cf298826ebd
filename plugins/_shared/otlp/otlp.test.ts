import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeTraces, encodePartialSuccess } from '../../../test/support/otlp-receiver.ts'
import { readPartialSuccess } from './partial-success.ts'
import { ProtoWriter } from './proto-writer.ts'
import { encodeRequest, encodeSpan, SPAN_KIND_SERVER, type SpanRecord } from './span.ts'

const SPAN: SpanRecord = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  parentSpanId: undefined,
  traceState: undefined,
  name: 'GET /*',
  kind: SPAN_KIND_SERVER,
  startMicros: 1_767_225_600_000_123,
  endMicros: 1_767_225_600_000_456,
  attributes: [],
  error: undefined,
}
const SOURCE = { resource: [['service.name', 'APISIX']], scope: { name: 's', version: '1' } } as const

function roundTrip(...spans: readonly Partial<SpanRecord>[]) {
  const writer = new ProtoWriter()
  return decodeTraces(
    encodeRequest(
      spans.map((span) => encodeSpan(writer, { ...SPAN, ...span })),
      SOURCE,
    ),
  )
}

describe('spans in OTLP', () => {
  it('are read by a decoder as they were', () => {
    const { resource, scope, spans } = roundTrip({
      parentSpanId: '00f067aa0ba902b7',
      traceState: 'a=1',
      error: 'upstream response status: 503',
    })
    assert.deepEqual({ ...resource }, { 'service.name': 'APISIX' })
    assert.deepEqual({ ...scope }, { name: 's', version: '1' })
    const { attributes, status, ...span } = spans[0]!
    assert.deepEqual(span, {
      traceId: SPAN.traceId,
      spanId: SPAN.spanId,
      parentSpanId: '00f067aa0ba902b7',
      traceState: 'a=1',
      name: 'GET /*',
      kind: 'SERVER',
      startNanos: 1_767_225_600_000_123_000n,
      endNanos: 1_767_225_600_000_456_000n,
    })
    assert.deepEqual(attributes, {})
    assert.deepEqual({ ...status }, { message: 'upstream response status: 503', code: 'ERROR' })
  })

  it('keep the types and the bytes of their attributes', () => {
    const long = 'é€😀'.repeat(5000)
    const values = {
      text: 'é',
      empty: '',
      yes: true,
      no: false,
      int: 200,
      zero: 0,
      big: 2 ** 53 - 1,
      negative: -5,
      half: 0.5,
      long,
    }
    const { spans } = roundTrip({ attributes: Object.entries(values) })
    assert.deepEqual(
      { ...spans[0]!.attributes },
      { ...values, int: '200', zero: '0', big: String(2 ** 53 - 1), negative: '-5' },
    )
  })

  it('are many in one request', () => {
    const spanIds = Array.from({ length: 500 }, (_, i) => (i + 1).toString(16).padStart(16, '0'))
    const { spans } = roundTrip(...spanIds.map((spanId) => ({ spanId, name: 'x'.repeat(200) })))
    assert.deepEqual(
      spans.map(({ spanId }) => spanId),
      spanIds,
    )
  })
})

describe('the answer of a collector', () => {
  it('says how many spans it did not take', () => {
    assert.deepEqual(readPartialSuccess(encodePartialSuccess(300, 'too old')), {
      rejectedSpans: 300,
      message: 'too old',
    })
  })

  it('is a success when it says nothing, only warns, or cannot be read', () => {
    assert.equal(readPartialSuccess(Buffer.alloc(0)), undefined)
    assert.equal(readPartialSuccess(encodePartialSuccess(0, 'a warning')), undefined)
    assert.equal(readPartialSuccess(Buffer.from('{"partialSuccess":{}}')), undefined)
    assert.equal(readPartialSuccess(Buffer.from([0x0a, 0xff])), undefined)
    assert.equal(readPartialSuccess(Buffer.alloc(40, 0xff)), undefined)
  })
})
