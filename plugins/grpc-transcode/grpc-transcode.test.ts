import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import protobuf from 'protobufjs'
import { refusal } from '../../src/testing/mount-plugin.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import plugin from './index.ts'

const PROTO = `syntax = "proto3"; package shop;
enum Color { RED = 0; BLUE = 1; }
message Item { string name = 1; Color color = 2; int64 stock = 3; bytes raw = 4; }
message Order { string id = 1; repeated Item items = 2; map<string, int64> prices = 3; uint32 count = 4; Item first = 5; }
message Problem { string reason = 1; int64 code = 2; }
service Orders { rpc Place (Order) returns (Order) {} rpc Watch (Order) returns (stream Order) {} }`

const root = protobuf.parse(PROTO, { keepCase: true }).root
const Order = root.lookupType('shop.Order')
const Problem = root.lookupType('shop.Problem')

function any(type: string, message: Uint8Array): Buffer {
  const name = Buffer.from(`type.googleapis.com/${type}`)
  return Buffer.concat([Buffer.from([0x0a, name.length]), name, Buffer.from([0x12, message.length]), message])
}

/** `google.rpc.Status` with one detail. */
function statusDetails(code: number, message: string, detail: Buffer): Buffer {
  const text = Buffer.from(message)
  return Buffer.concat([
    Buffer.from([0x08, code, 0x12, text.length]),
    text,
    Buffer.from([0x1a, detail.length]),
    detail,
  ])
}

async function withGateway(t: TestContext, config: Record<string, unknown> = {}) {
  const seen: { order: object; deadline: unknown }[] = []
  const server = new grpc.Server()
  const identity = (value: Buffer) => value
  const place = {
    path: '/shop.Orders/Place',
    requestStream: false,
    responseStream: false,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  }
  server.addService(
    { place },
    {
      place(call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) {
        const order = Order.toObject(Order.decode(call.request), { longs: String })
        seen.push({ order, deadline: call.getDeadline() })
        if (order['id'] === 'missing') {
          const metadata = new grpc.Metadata()
          const detail = any(
            'shop.Problem',
            Problem.encode(Problem.fromObject({ reason: 'gone', code: 7 })).finish(),
          )
          metadata.set('grpc-status-details-bin', statusDetails(5, 'not there', detail))
          answer({ code: grpc.status.NOT_FOUND, details: 'not there', metadata })
        } else answer(null, call.request)
      },
    },
  )
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    )
  })
  t.after(() => server.forceShutdown())
  const gateway = await startGateway(t)
  await gateway.put('protos', 'shop', { content: PROTO })
  await gateway.put('routes', '1', {
    uri: '/orders',
    plugins: { 'grpc-transcode': { proto_id: 'shop', service: 'shop.Orders', method: 'Place', ...config } },
    upstream: { scheme: 'grpc', type: 'roundrobin', nodes: { [`127.0.0.1:${port}`]: 1 } },
  })
  const url = `${gateway.proxyUrl}/orders`
  const post = (body: unknown, type = 'application/json') =>
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': type },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  return { gateway, url, post, seen }
}

const ORDER = {
  id: 'o1',
  items: [{ name: 'pen', color: 'BLUE', stock: 7, raw: Buffer.from([0, 255]).toString('base64') }],
  prices: { pen: 12 },
  count: 3,
  first: { name: 'pencil', color: 1, stock: '9007199254740993' },
}

describe('grpc-transcode', () => {
  it('turns JSON into a call and its answer into JSON, with defaults, enums and numbers as configured', async (t) => {
    const { post, gateway } = await withGateway(t)
    const response = await post(ORDER)
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('content-type'), 'application/json')
    assert.deepEqual(await response.json(), {
      ...ORDER,
      first: { name: 'pencil', color: 'BLUE', stock: '9007199254740993', raw: '' },
    })
    await gateway.admin('PATCH', 'routes/1', {
      plugins: {
        'grpc-transcode': { pb_option: ['enum_as_value', 'int64_as_hexstring', 'no_default_values'] },
      },
    })
    assert.deepEqual(await (await post({ items: [{ color: 'BLUE', stock: -26 }] })).json(), {
      items: [{ color: 1, stock: '-0x1a' }],
    })
    await gateway.admin('PATCH', 'routes/1', {
      plugins: { 'grpc-transcode': { pb_option: ['int64_as_string', 'no_default_values'] } },
    })
    assert.deepEqual(await (await post({ prices: { a: 5 } })).json(), { prices: { a: '5' } })
  })

  it('takes fields from the query and from forms, names with dots and lists among them', async (t) => {
    const { url, post, seen } = await withGateway(t, { pb_option: ['no_default_values'] })
    await (await fetch(`${url}?id=q&first.name=pen&count=4`)).text()
    await (await post('id=f&first.color=BLUE', 'application/x-www-form-urlencoded')).text()
    await (
      await fetch(`${url}?id=both&count=9`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"id": "body"}',
      })
    ).text()
    assert.deepEqual(
      seen.map(({ order }) => order),
      [
        { id: 'q', first: { name: 'pen' }, count: 4 },
        { id: 'f', first: { color: 1 } },
        { id: 'body', count: 9 },
      ],
    )
  })

  it('answers 400 for a body that is none, and 413 for one that is too long', async (t) => {
    const { url, post, seen } = await withGateway(t, { max_req_body_size: 40 })
    for (const body of ['{', '[]', '1', { items: 'none' }, { first: 3 }]) {
      assert.equal((await post(body)).status, 400, JSON.stringify(body))
    }
    assert.equal((await post({ id: 'x'.repeat(40) })).status, 413)
    assert.equal((await fetch(`${url}?${'first.'.repeat(200)}id=1`)).status, 400)
    assert.deepEqual(seen, [])
  })

  it('gives a failed call its HTTP status, and shows why where it shall', async (t) => {
    const plain = await withGateway(t)
    const response = await plain.post({ id: 'missing' })
    assert.equal(response.status, 404)
    assert.equal(await response.text(), '')
    const shown = await withGateway(t, { show_status_in_body: true, status_detail_type: 'shop.Problem' })
    const failed = await shown.post({ id: 'missing' })
    assert.equal(failed.status, 404)
    assert.deepEqual(await failed.json(), {
      error: { code: 5, message: 'not there', details: [{ reason: 'gone', code: 7 }] },
    })
  })

  it('gives the call a deadline', async (t) => {
    const { post, seen } = await withGateway(t, { deadline: 60_000 })
    const before = Date.now()
    await (await post({})).text()
    const deadline = Number(seen[0]?.deadline)
    assert.ok(deadline > before + 30_000 && deadline <= Date.now() + 60_000, String(seen[0]?.deadline))
  })

  it('answers 503 as long as proto or method are not there, and follows the proto', async (t) => {
    const { gateway, post } = await withGateway(t, { method: 'Cancel' })
    assert.equal((await post({})).status, 503)
    await gateway.put('protos', 'shop', { content: PROTO.replace('rpc Place', 'rpc Cancel') })
    // The service behind knows no such method: the call is made now.
    assert.equal((await post({})).status, 501)
    await gateway.admin('PATCH', 'routes/1', { plugins: { 'grpc-transcode': { proto_id: 'other' } } })
    assert.equal((await post({})).status, 503)
    await gateway.admin('PATCH', 'routes/1', {
      plugins: { 'grpc-transcode': { proto_id: 'shop', method: 'Watch' } },
    })
    assert.equal((await post({})).status, 503)
  })

  it('passes the answer of something that is no gRPC service as it is', async (t) => {
    const { gateway, url } = await withGateway(t)
    await gateway.put('routes', '1', {
      uri: '/orders',
      plugins: {
        'grpc-transcode': { proto_id: 'shop', service: 'shop.Orders', method: 'Place' },
        'fault-injection': { abort: { http_status: 418, body: 'tea' } },
      },
      upstream: { scheme: 'grpc', type: 'roundrobin', nodes: { '127.0.0.1:1': 1 } },
    })
    const response = await fetch(url)
    assert.deepEqual([response.status, await response.text()], [418, 'tea'])
  })

  it('refuses a configuration without its parts', () => {
    assert.match(refusal(plugin, { service: 's', method: 'm' }) ?? '', /proto_id/)
    assert.match(
      refusal(plugin, { proto_id: '1', service: 's', method: 'm', pb_option: ['x'] }) ?? '',
      /pb_option/,
    )
  })
})
