import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import protobuf from 'protobufjs'

/** The messages of OTLP as far as traces of a gateway use them, by the public numbers of their fields. */
const PROTO = `
syntax = "proto3";
package opentelemetry;
message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
message ExportTraceServiceResponse { PartialSuccess partial_success = 1; }
message PartialSuccess { int64 rejected_spans = 1; string error_message = 2; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; string schema_url = 3; }
message Scope { string name = 1; string version = 2; }
message Span {
  bytes trace_id = 1;
  bytes span_id = 2;
  string trace_state = 3;
  bytes parent_span_id = 4;
  string name = 5;
  enum Kind { UNSPECIFIED = 0; INTERNAL = 1; SERVER = 2; CLIENT = 3; PRODUCER = 4; CONSUMER = 5; }
  Kind kind = 6;
  fixed64 start_time_unix_nano = 7;
  fixed64 end_time_unix_nano = 8;
  repeated KeyValue attributes = 9;
  uint32 dropped_attributes_count = 10;
  Status status = 15;
}
message Status {
  string message = 2;
  enum Code { UNSET = 0; OK = 1; ERROR = 2; }
  Code code = 3;
}
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue {
  oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; }
}`

export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly traceState: string
  readonly name: string
  readonly kind: string
  readonly startNanos: bigint
  readonly endNanos: bigint
  readonly attributes: Readonly<Record<string, unknown>>
  readonly status: { readonly code?: string; readonly message?: string }
}

export interface ReceivedExport {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly resource: Readonly<Record<string, unknown>>
  readonly scope: { readonly name?: string; readonly version?: string }
  readonly spans: readonly ReceivedSpan[]
}

export interface OtlpReceiver {
  readonly port: number
  readonly exports: readonly ReceivedExport[]
  readonly spans: readonly ReceivedSpan[]
  /** Requests that arrived whole, whatever they were answered. */
  readonly asked: number
  /** Of those that got no answer: how many were given up. */
  readonly cut: number
  /** Status from now on, 0 for no answer, and how many spans of each export a partial success gives back. */
  answerWith(status: number, rejectedSpans?: number): void
}

const root = protobuf.parse(PROTO, { keepCase: true }).root

/** The bytes of an answer that says how many spans were not taken. */
export function encodePartialSuccess(rejected: number, message: string): Uint8Array {
  const type = root.lookupType('opentelemetry.ExportTraceServiceResponse')
  const partial_success = { rejected_spans: rejected, error_message: message }
  return type.encode(type.fromObject({ partial_success })).finish()
}

/** Reads a request body of `/v1/traces`, throwing when it is none. */
export function decodeTraces(body: Uint8Array): Pick<ReceivedExport, 'resource' | 'scope' | 'spans'> {
  const type = root.lookupType('opentelemetry.ExportTraceServiceRequest')
  const message = type.toObject(type.decode(body), { longs: String, enums: String, bytes: Buffer })
  const [all, ...others] = message['resource_spans']
  const [scoped, ...scopes] = all.scope_spans
  if (others.length + scopes.length > 0) throw new Error('more than one resource or scope')
  return {
    resource: attributesOf(all.resource.attributes),
    scope: scoped.scope,
    spans: (scoped.spans ?? []).map(readSpan),
  }
}

/** A collector on a free port that decodes what it gets. */
export async function otlpReceiver(t: Pick<TestContext, 'after'>): Promise<OtlpReceiver> {
  const exports: ReceivedExport[] = []
  let answer = { status: 200, rejected: 0 }
  let asked = 0
  let cut = 0
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray())
    const { url: path = '', headers } = request
    asked += 1
    if (answer.status === 0) {
      response.on('close', () => (cut += 1))
      return
    }
    if (answer.status === 200) exports.push({ path, headers, ...decodeTraces(body) })
    response.writeHead(answer.status, { 'Content-Type': 'application/x-protobuf' })
    response.end(answer.rejected > 0 ? encodePartialSuccess(answer.rejected, 'too old') : undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  })
  return {
    port: (server.address() as AddressInfo).port,
    exports,
    get asked() {
      return asked
    },
    get cut() {
      return cut
    },
    get spans() {
      return exports.flatMap(({ spans }) => spans)
    },
    answerWith: (status, rejected = 0) => {
      answer = { status, rejected }
    },
  }
}

// biome-ignore lint/suspicious/noExplicitAny: what protobufjs gives back has no type of its own
function readSpan(span: any): ReceivedSpan {
  return {
    traceId: span.trace_id.toString('hex'),
    spanId: span.span_id.toString('hex'),
    parentSpanId: span.parent_span_id?.toString('hex') ?? '',
    traceState: span.trace_state ?? '',
    name: span.name,
    kind: span.kind,
    startNanos: BigInt(span.start_time_unix_nano),
    endNanos: BigInt(span.end_time_unix_nano),
    attributes: attributesOf(span.attributes ?? []),
    status: span.status ?? {},
  }
}

function attributesOf(
  list: readonly { key: string; value: Record<string, unknown> }[],
): Record<string, unknown> {
  if (new Set(list.map(({ key }) => key)).size < list.length) throw new Error('an attribute stands twice')
  return Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]))
}
