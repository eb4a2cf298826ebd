import assert from 'node:assert/strict'
import { constants } from 'node:http2'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { ask, connectHttp2 } from '../support/http2-client.ts'
import {
  ACK,
  connectFrames,
  END_HEADERS,
  END_STREAM,
  FRAME,
  type FrameConnection,
  frame,
  literal,
  request,
  requestBlock,
  uint32,
} from '../support/http2-frames.ts'
import { eventually } from '../support/watch-recording.ts'

const CALM = constants.NGHTTP2_ENHANCE_YOUR_CALM
/** What Node says of whatever it ends itself. */
const INTERNAL = constants.NGHTTP2_INTERNAL_ERROR
/** Where the client broke the protocol. */
const PROTOCOL_ERROR = constants.NGHTTP2_PROTOCOL_ERROR
const LARGE = 256 * 1024
/** When the node of the test answers `/late`. */
const LATE_MS = 800

/** `/hang` is never answered, `/late` when a `send_timeout` of 300 ms is over, `/large` with more than a window takes; whatever else with `ok`. */
async function stage(
  t: TestContext,
  http: Readonly<Record<string, unknown>> = {},
  others: Readonly<Record<string, unknown>> = {},
) {
  const node = await fakeUpstream(t, ({ url }, response) => {
    if (url === '/late') setTimeout(() => response.end(Buffer.alloc(LARGE)), LATE_MS)
    else if (url !== '/hang') response.end(url === '/large' ? Buffer.alloc(LARGE) : 'ok')
  })
  const settings: Record<string, unknown> = {
    'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }],
    // Bystanders ask more than the default allows, and floods are to be cut for what they are.
    'nginx_config.http.keepalive_requests': 1_000_000,
    ...others,
  }
  for (const [key, value] of Object.entries(http)) settings[`nginx_config.http.${key}`] = value
  const upstream = { nodes: { [node.address]: 1 } }
  const gateway = await startGateway(t, { routes: { all: { uri: '/*', upstream } } }, { settings })
  return { node, gateway }
}

async function cuts(gateway: TestGateway): Promise<Record<string, number>> {
  const text = await metrics(gateway)
  const lines = text.matchAll(/^gatewright_http2_cut_connections_total\{reason="([a-z-]+)"\} (\d+)$/gm)
  return Object.fromEntries([...lines].map(([, reason, count]) => [reason!, Number(count)]))
}

async function metrics({ addresses }: TestGateway): Promise<string> {
  return (await fetch(`http://127.0.0.1:${addresses.metrics!.port}/apisix/prometheus/metrics`)).text()
}

/** Asks over a connection of its own until told to stop; every answer must be right. */
async function bystander(t: TestContext, gateway: TestGateway) {
  const session = await connectHttp2(t, gateway.proxyUrl)
  let isOver = false
  const asked = (async () => {
    let count = 0
    while (!isOver || count < 5) {
      const { status, body } = await ask(session, { ':path': '/', ':authority': 'a' })
      assert.deepEqual([status, body], [200, 'ok'])
      count++
    }
    return count
  })()
  return {
    stop: () => {
      isOver = true
      return asked
    },
  }
}

const streamOf = (round: number, n: number) => 1 + 2 * (round * 50 + n)
const each50 = (round: number, make: (stream: number) => Buffer) =>
  Buffer.concat(Array.from({ length: 50 }, (_, n) => make(streamOf(round, n))))
const repeated = (bytes: Buffer) => {
  const many: Buffer = Buffer.concat(Array<Buffer>(500).fill(bytes))
  return () => many
}
const openPost = frame(FRAME.headers, {
  flags: END_HEADERS,
  stream: 1,
  payload: requestBlock('/hang', 'POST'),
})
const PADDED = 8

interface Flood {
  readonly what: string
  readonly first?: Buffer
  readonly next: (round: number) => Buffer
  /** The code of the GOAWAY. */
  readonly code: number
  /** The limit that cut it, as the metric names it. */
  readonly reason: string
  /** The code where nghttp2 itself gives such a client up before our limit is reached, as that of Node.js 24 does: then it is a protocol error. */
  readonly givenUpWith?: number
}

const FLOODS: readonly Flood[] = [
  {
    what: 'streams that it resets at once (rapid reset)',
    next: (round) =>
      each50(round, (stream) =>
        Buffer.concat([request(stream, '/hang'), frame(FRAME.reset, { stream, payload: uint32(8) })]),
      ),
    code: CALM,
    reason: 'reset',
  },
  {
    what: 'errors that make the gateway reset its streams (MadeYouReset)',
    next: (round) =>
      each50(round, (stream) =>
        Buffer.concat([request(stream, '/hang'), frame(FRAME.windowUpdate, { stream, payload: uint32(0) })]),
      ),
    code: INTERNAL,
    reason: 'protocol-error',
    givenUpWith: PROTOCOL_ERROR,
  },
  {
    what: 'CONTINUATION without end',
    first: frame(FRAME.headers, { stream: 1, payload: requestBlock() }),
    next: repeated(frame(FRAME.continuation, { stream: 1, payload: literal('x', 'a'.repeat(20)) })),
    code: INTERNAL,
    reason: 'continuation',
  },
  {
    what: 'empty CONTINUATION without end',
    first: frame(FRAME.headers, { stream: 1, payload: requestBlock() }),
    next: repeated(frame(FRAME.continuation, { stream: 1 })),
    code: INTERNAL,
    reason: 'continuation',
  },
  {
    what: 'empty DATA',
    first: openPost,
    next: repeated(frame(FRAME.data, { stream: 1 })),
    code: INTERNAL,
    reason: 'invalid-frames',
  },
  {
    what: 'DATA of nothing but padding',
    first: openPost,
    next: repeated(frame(FRAME.data, { stream: 1, flags: PADDED, payload: Buffer.from([3, 0, 0, 0]) })),
    code: CALM,
    reason: 'frames',
  },
  {
    what: 'empty HEADERS',
    next: (round) =>
      each50(round, (stream) => frame(FRAME.headers, { stream, flags: END_HEADERS | END_STREAM })),
    code: INTERNAL,
    reason: 'invalid-frames',
  },
  {
    what: 'PRIORITY of streams that are not there',
    next: repeated(frame(FRAME.priority, { stream: 101, payload: Buffer.from([0, 0, 0, 0, 1]) })),
    code: CALM,
    reason: 'frames',
    givenUpWith: CALM,
  },
  {
    what: 'PRIORITY of a stream under way',
    first: openPost,
    next: repeated(frame(FRAME.priority, { stream: 1, payload: Buffer.from([0, 0, 0, 0, 1]) })),
    code: CALM,
    reason: 'frames',
    givenUpWith: CALM,
  },
  { what: 'SETTINGS', next: repeated(frame(FRAME.settings)), code: CALM, reason: 'settings' },
  {
    what: 'acknowledgements of SETTINGS that were never sent',
    next: repeated(frame(FRAME.settings, { flags: ACK })),
    code: INTERNAL,
    reason: 'protocol-error',
    givenUpWith: PROTOCOL_ERROR,
  },
  {
    what: 'PING',
    next: repeated(frame(FRAME.ping, { payload: Buffer.alloc(8) })),
    code: CALM,
    reason: 'ping',
  },
  {
    what: 'WINDOW_UPDATE of its connection',
    next: repeated(frame(FRAME.windowUpdate, { payload: uint32(1) })),
    code: CALM,
    reason: 'frames',
  },
  {
    what: 'WINDOW_UPDATE of a stream that is over',
    first: request(1),
    next: repeated(frame(FRAME.windowUpdate, { stream: 1, payload: uint32(1) })),
    code: CALM,
    reason: 'frames',
  },
  {
    what: 'frames of a type that nobody knows',
    next: repeated(frame(77, { payload: Buffer.alloc(4) })),
    code: CALM,
    reason: 'frames',
    givenUpWith: CALM,
  },
  {
    what: 'header lists that are large beyond their bytes (HPACK bomb)',
    // One field of 4,000 bytes into the table, then thousands of times one byte that stands for it.
    next: (round) =>
      frame(FRAME.headers, {
        stream: 1 + 2 * round,
        flags: END_HEADERS | END_STREAM,
        payload: Buffer.concat([requestBlock('/hang'), tableEntry(3900), Buffer.alloc(8000, 0xbe)]),
      }),
    code: CALM,
    reason: 'frames',
  },
  {
    what: 'streams that it never ends',
    next: (round) => each50(round, (stream) => request(stream, '/hang', END_HEADERS)),
    code: INTERNAL,
    reason: 'invalid-frames',
  },
]

/** A field that the table takes up (RFC 7541 §6.2.1), with a value of so many bytes, between 255 and 16,000. */
function tableEntry(bytes: number): Buffer {
  const rest = bytes - 127
  const length = Buffer.from([127, (rest & 127) | 128, rest >> 7])
  return Buffer.concat([Buffer.from([0x40, 1, 0x78]), length, Buffer.alloc(bytes, 0x61)])
}

const CLOSED_WITHIN_MS = 5000
const MOST_ROUNDS = 1_000_000
const MOST_BYTES = 256 * 1024 * 1024

describe('an HTTP/2 client that floods', { concurrency: 3 }, () => {
  for (const { what, first, next, code, reason, givenUpWith } of FLOODS) {
    it(`with ${what} is cut off with GOAWAY ${code}, counted as ${reason}, and others are served`, async (t) => {
      const { gateway } = await stage(t)
      const other = await bystander(t, gateway)
      const client = await connectFrames(t, gateway.proxyPort)
      if (first) await client.send(first)
      const before = process.memoryUsage().rss
      await client.flood(next, MOST_ROUNDS)
      await client.untilClosed(CLOSED_WITHIN_MS)
      assert.ok(process.memoryUsage().rss - before < MOST_BYTES, 'memory has grown with the flood')
      // The system may take a GOAWAY back when it is told of bytes that nobody read.
      if (client.goaway !== undefined)
        assert.ok([code, givenUpWith].includes(client.goaway), `${client.goaway}`)
      await other.stop()
      const counted = await cuts(gateway)
      const isGivenUp = givenUpWith !== undefined && 'protocol-error' in counted
      assert.deepEqual(counted, { [isGivenUp ? 'protocol-error' : reason]: 1 })
      await eventually('only the other client is left', async () =>
        /^gatewright_client_connections 1$/m.test(await metrics(gateway)),
      )
    })
  }
})

describe('an HTTP/2 client that goes on after the gateway has given its connection up', {
  concurrency: 3,
}, () => {
  for (const [what, first, next, codes] of [
    [
      'frames for a stream that is over',
      request(1),
      frame(FRAME.data, { stream: 1, payload: Buffer.alloc(1) }),
      [constants.NGHTTP2_STREAM_CLOSED, CALM],
    ],
    [
      'resets of a stream that is over',
      request(1),
      frame(FRAME.reset, { stream: 1, payload: uint32(8) }),
      [INTERNAL],
    ],
    ['headers that cannot be read', Buffer.alloc(0), unreadable(1), [constants.NGHTTP2_COMPRESSION_ERROR]],
  ] as const) {
    it(`with ${what} is told ${codes.join(' or ')}, and gone with keepalive_timeout`, async (t) => {
      const { gateway } = await stage(t, { keepalive_timeout: '1s' })
      const client = await connectFrames(t, gateway.proxyPort)
      await client.send(first)
      if (first.length > 0) await eventually('it is answered', () => client.answered.has(1))
      void client.flood(repeated(next), MOST_ROUNDS)
      await client.untilClosed(CLOSED_WITHIN_MS)
      assert.ok((codes as readonly unknown[]).includes(client.goaway), `GOAWAY ${client.goaway}`)
    })
  }
})

function unreadable(stream: number): Buffer {
  return frame(FRAME.headers, { stream, flags: END_HEADERS | END_STREAM, payload: Buffer.from([0x80]) })
}

describe('an HTTP/2 client that leaves no window', () => {
  const ZERO_WINDOW = Buffer.from([0, 4, 0, 0, 0, 0])
  const askFor = (client: FrameConnection, path: string) =>
    client.send(Buffer.concat(Array.from({ length: 128 }, (_, n) => request(1 + 2 * n, path))))

  for (const path of ['/large', '/late', '/small']) {
    it(`for 128 answers of ${path} loses each after send_timeout and its connection when it idles`, async (t) => {
      const { node, gateway } = await stage(t, { send_timeout: '300ms', keepalive_timeout: '1s' })
      const other = await bystander(t, gateway)
      const client = await connectFrames(t, gateway.proxyPort, ZERO_WINDOW)
      const before = process.memoryUsage().rss
      await askFor(client, path)
      await eventually('all are answered', () => client.answered.size === 128)
      await client.untilClosed(40_000)
      // Those whose turn comes last may go with the connection.
      assert.ok(client.resets.length > 64, `${client.resets.length} streams were reset`)
      assert.deepEqual([...new Set(client.resets)], [constants.NGHTTP2_CANCEL])
      assert.ok(process.memoryUsage().rss - before < MOST_BYTES, 'memory has grown with the answers')
      await other.stop()
      assert.ok(node.requests.length >= 128)
    })
  }

  it('and sends header lists beyond the limit is answered 431 for those, counted, and nothing reaches the node', async (t) => {
    const { node, gateway } = await stage(t, {}, { 'gatewright.limits.max_header_bytes': 8192 })
    // It never acknowledges our SETTINGS, and so is held to none of them by Node.
    const client = await connectFrames(t, gateway.proxyPort)
    const heads = (stream: number, fields: Buffer) => {
      const payload = Buffer.concat([requestBlock('/small'), fields])
      return frame(FRAME.headers, { stream, flags: END_HEADERS | END_STREAM, payload })
    }
    const repeats = (count: number) => Buffer.alloc(count, 0xbe)
    // Twice 3.9 KB are within the limit, three times are not; and a hundred fields are allowed.
    await client.send(Buffer.concat([heads(1, tableEntry(3900)), heads(3, repeats(2))]))
    await client.send(Buffer.concat([heads(5, repeats(3)), heads(7, repeats(98))]))
    await eventually('all are answered', () => client.answered.size === 4)
    await eventually('the two that are within the limit have arrived', () => node.requests.length === 2)
    const refused = /^gatewright_refused_requests_total\{reason="header-too-large"\} 2$/m
    assert.match(await metrics(gateway), refused)
  })
})

describe('an HTTP/2 client that is merely busy', () => {
  it('with uploads in tiny frames and many small answers is not taken for a flood', async (t) => {
    const node = await fakeUpstream(t, (incoming, response) => void incoming.pipe(response))
    const gateway = await startGateway(
      t,
      { routes: { all: { uri: '/*', upstream: { nodes: { [node.address]: 1 } } } } },
      { settings: { 'apisix.node_listen': [{ ip: '127.0.0.1', port: 0, enable_http2: true }] } },
    )
    const client = await connectFrames(t, gateway.proxyPort)
    await client.send(
      frame(FRAME.headers, { flags: END_HEADERS, stream: 1, payload: requestBlock('/', 'POST') }),
    )
    const byte = frame(FRAME.data, { stream: 1, payload: Buffer.alloc(1) })
    const end = Date.now() + 2200
    let sent = 0
    while (Date.now() < end && sent < 60_000) {
      await client.send(Buffer.concat(Array<Buffer>(100).fill(byte)))
      sent += 100
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await eventually('the echo has begun', () => client.answered.has(1))
    assert.equal(client.isClosed, false)
    assert.deepEqual(await cuts(gateway), {})
  })
})
