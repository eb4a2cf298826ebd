import { ProtoWriter } from './proto-writer.ts'

/** A value of an attribute; whole numbers become integers, others doubles. */
export type AttributeValue = string | number | boolean
export type Attribute = readonly [key: string, value: AttributeValue]

/** Numbers of OTLP's enums. */
export const SPAN_KIND_SERVER = 2
export const STATUS_ERROR = 2

/** A finished span. */
export interface SpanRecord {
  /** Hexadecimal, 32 and 16 digits. */
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  /** `tracestate` as it came. */
  readonly traceState: string | undefined
  readonly name: string
  readonly kind: number
  /** Since the epoch. */
  readonly startMicros: number
  readonly endMicros: number
  readonly attributes: readonly Attribute[]
  /** Absent: the status is unset. */
  readonly error: string | undefined
}

/** Who sends spans, and about what. */
export interface SpanSource {
  readonly resource: readonly Attribute[]
  readonly scope: { readonly name: string; readonly version: string }
}

/** The bytes of one `opentelemetry.proto.trace.v1.Span`. */
export function encodeSpan(writer: ProtoWriter, span: SpanRecord): Buffer {
  writer.bytes(1, Buffer.from(span.traceId, 'hex')).bytes(2, Buffer.from(span.spanId, 'hex'))
  if (span.traceState !== undefined) writer.string(3, span.traceState)
  if (span.parentSpanId !== undefined) writer.bytes(4, Buffer.from(span.parentSpanId, 'hex'))
  writer.string(5, span.name).uint(6, span.kind)
  writer.fixed64(7, nanos(span.startMicros)).fixed64(8, nanos(span.endMicros))
  writeAttributes(writer, 9, span.attributes)
  const { error } = span
  if (error !== undefined) writer.message(15, () => writer.string(2, error).uint(3, STATUS_ERROR))
  return writer.finish()
}

/** The body of an `ExportTraceServiceRequest` with spans that {@link encodeSpan} made. */
export function encodeRequest(spans: readonly Uint8Array[], { resource, scope }: SpanSource): Buffer {
  const writer = new ProtoWriter()
  writer.message(1, () => {
    writer.message(1, () => writeAttributes(writer, 1, resource))
    writer.message(2, () => {
      writer.message(1, () => writer.string(1, scope.name).string(2, scope.version))
      for (const span of spans) writer.bytes(2, span)
    })
  })
  return writer.finish()
}

function writeAttributes(writer: ProtoWriter, field: number, attributes: readonly Attribute[]): void {
  for (const [key, value] of attributes) {
    writer.message(field, () => writer.string(1, key).message(2, () => writeValue(writer, value)))
  }
}

function writeValue(writer: ProtoWriter, value: AttributeValue): void {
  if (typeof value === 'string') writer.string(1, value)
  else if (typeof value === 'boolean') writer.uint(2, value ? 1 : 0)
  else if (Number.isSafeInteger(value)) writer.int64(3, value)
  else writer.double(4, value)
}

function nanos(micros: number): bigint {
  return BigInt(micros) * 1000n
}
