import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { eventually } from '../../support/watch-recording.ts'
import { startStage } from './stage.ts'

const POST = 'POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n'
const CHUNKS = '3\r\nabc\r\n0\r\n\r\n'

/** What a strict reader of the RFC takes as well, and the length of the body that it sees. */
const ACCEPTED: readonly (readonly [what: string, bytes: string, bodyBytes: number])[] = [
  ['a length with zeros before it', `${POST}Content-Length: 003\r\n\r\nabc`, 3],
  ['a length between blanks', `${POST}Content-Length:\t3 \r\n\r\nabc`, 3],
  ['a coding in capitals', `${POST}Transfer-Encoding: Chunked\r\n\r\n${CHUNKS}`, 3],
  ['a coding behind a tab', `${POST}Transfer-Encoding:\tchunked\r\n\r\n${CHUNKS}`, 3],
  ['a chunk extension', `${POST}Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n`, 3],
  ['trailers', `${POST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n`, 3],
  ['an empty line before the request', `\r\n${POST}Content-Length: 1\r\n\r\na`, 1],
  ['HTTP/1.0 without Host', 'POST /x HTTP/1.0\r\nContent-Length: 1\r\n\r\na', 1],
]

async function headOf(t: TestContext, lines: readonly string[], target = '/x') {
  const stage = await startStage(t, { 'nginx_config.http.real_ip_from': [] })
  const { statuses } = await stage.exchange(`GET ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
  assert.deepEqual(statuses, [200])
  return stage.received[0]!
}

describe('the front door takes', () => {
  for (const [what, bytes, bodyBytes] of ACCEPTED) {
    it(`${what}, and the node sees the same body`, async (t) => {
      const stage = await startStage(t)
      const { statuses } = await stage.exchange(bytes)
      assert.deepEqual(statuses, [200])
      assert.deepEqual([stage.received.length, stage.bodyBytes], [1, [bodyBytes]])
    })
  }

  it('names that mean something to JavaScript as the data they are', async (t) => {
    const { rawHeaders } = await headOf(t, [
      'Host: a',
      'Connection: close',
      '__proto__: p',
      'constructor: c',
      'hasOwnProperty: h',
    ])
    for (const [name, value] of [
      ['__proto__', 'p'],
      ['constructor', 'c'],
      ['hasOwnProperty', 'h'],
    ] as const)
      assert.equal(rawHeaders[rawHeaders.indexOf(name) + 1], value)
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
  })

  it('a name of 8 KiB', async (t) => {
    const name = `x${'a'.repeat(8191)}`
    const { headers } = await headOf(t, ['Host: a', 'Connection: close', `${name}: 1`])
    assert.equal(headers[name], '1')
  })

  it('as many headers as the limit says', async (t) => {
    const { rawHeaders } = await headOf(t, ['Host: a', 'Connection: close', ...Array(98).fill('X: 1')])
    assert.equal(rawHeaders.filter((part) => part === 'X').length, 98)
  })

  it('the host of an absolute target, whatever Host says', async (t) => {
    const { url, headers } = await headOf(t, ['Host: b', 'Connection: close'], 'http://A:80/x?y')
    assert.deepEqual([url, headers.host], ['/x?y', 'A:80'])
  })
})

describe('from a client that is not trusted', () => {
  it('nothing about itself or its identity reaches the node, in no spelling', async (t) => {
    const lies = [
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: evil',
      'X-Forwarded-Port: 1',
      'X-Forwarded-Prefix: /evil',
      'X-Forwarded-Uri: /evil',
      'Forwarded: for=evil',
      'x_forwarded_for: evil',
      'X_Forwarded-Proto: evil',
      'X_Real_IP: evil',
      'X-Consumer-Username: evil',
      'x-consumer-custom-id: evil',
      'X-CONSUMER-GROUP: evil',
      'X-Credential-Identifier: evil',
      'X_Consumer_Username: evil',
      'x-credential_identifier: evil',
      'Content_Length: evil',
      'transfer_encoding: evil',
    ]
    const { rawHeaders } = await headOf(t, ['Host: a', 'Connection: close', ...lies, 'X_Other: kept'])
    assert.doesNotMatch(rawHeaders.join('\n'), /evil/)
    assert.ok(rawHeaders.includes('X_Other'))
  })

  it('an identity given by a plugin cannot be added to or stripped', async (t) => {
    const stage = await startStage(t)
    await stage.exchange(
      'GET /locked HTTP/1.1\r\nHost: a\r\napikey: jacks-key\r\nX-Consumer-Username: root\r\nX_Consumer_Username: root\r\n' +
        'X-Credential-Identifier: root\r\nConnection: close, X-Consumer-Username, X-Real-IP, x-forwarded-for, Host, Content-Length\r\n\r\n',
    )
    const { headers, rawHeaders } = stage.received[0]!
    assert.equal(headers['x-consumer-username'], 'jack')
    assert.deepEqual([headers['x-real-ip'], headers['x-forwarded-for']], ['127.0.0.1', '127.0.0.1'])
    assert.equal(headers.host, 'a')
    assert.doesNotMatch(rawHeaders.join('\n'), /root/)
  })
})

describe('from a trusted peer', () => {
  it('what it says passes, but for names that only look like it', async (t) => {
    const stage = await startStage(t, { 'apisix.trusted_addresses': ['127.0.0.1'] })
    await stage.exchange(
      'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-Proto: https\r\nX-Consumer-Username: jill\r\nX_Consumer_Username: evil\r\n\r\n',
    )
    const { headers } = stage.received[0]!
    assert.deepEqual([headers['x-forwarded-proto'], headers['x-consumer-username']], ['https', 'jill'])
    assert.equal(headers['x_consumer_username'], undefined)
  })
})

describe('after an answer that came before the body', () => {
  const locked = (length: number, body: string) =>
    `POST /locked HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${body}`
  const next = 'GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

  it('the next request is read cleanly behind a whole body', async (t) => {
    const stage = await startStage(t)
    const inner = 'GET /inner HTTP/1.1\r\nHost: a\r\n\r\n'
    const { statuses } = await stage.exchange(locked(inner.length, inner) + next)
    assert.deepEqual(statuses, [401, 200])
    assert.deepEqual(
      stage.received.map(({ url }) => url),
      ['/next'],
    )
  })

  it('what follows is the rest of a body that was not whole', async (t) => {
    const stage = await startStage(t)
    const { statuses } = await stage.exchange(locked(5 + next.length, 'abcde') + next + next)
    assert.deepEqual(statuses, [401, 200])
    assert.equal(stage.received.length, 1)
  })

  it('chunks are read to their end', async (t) => {
    const stage = await startStage(t)
    const { statuses } = await stage.exchange(
      `POST /locked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}${next}`,
    )
    assert.deepEqual(statuses, [401, 200])
    await eventually('the node heard of the next one only', () => stage.received.length === 1)
  })
})
