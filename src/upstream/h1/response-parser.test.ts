import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MalformedResponseError } from './response-head.ts'
import { ResponseParser } from './response-parser.ts'

type Told = (string | number | boolean | undefined | readonly string[])[]

interface Reading {
  /** `head`, status, headers, length; `body`, text; `end`, whether the connection may be used again. */
  readonly events: Told[]
  readonly parser: ResponseParser
}

function reading(method = 'GET'): Reading {
  const events: Told[] = []
  const parser = new ResponseParser({
    onEarlyHints: (headers) => events.push(['hints', headers]),
    onHead: (head) => events.push(['head', head.status, head.headers, head.bodyLength]),
    onBody: (bytes) => {
      const last = events.at(-1)!
      // How a body is cut into calls says nothing.
      if (last[0] === 'body') last[1] = String(last[1]) + bytes.toString('latin1')
      else events.push(['body', bytes.toString('latin1')])
    },
    onMessageEnd: (mayReuse, trailers) => events.push(['end', mayReuse, ...(trailers ? [trailers] : [])]),
    onSwitch: ({ status, headers }, protocol, rest) =>
      events.push(['switch', status, headers, protocol, rest.toString('latin1')]),
  })
  parser.expect(method)
  return { events, parser }
}

/** The events of a message that comes in the given pieces; the connection ends afterwards. */
function read(pieces: readonly string[], method?: string): Told[] {
  const { events, parser } = reading(method)
  try {
    for (const piece of pieces) parser.push(Buffer.from(piece, 'latin1'))
    if (parser.isBusy && !parser.end()) events.push(['cut'])
  } catch (error) {
    if (!(error instanceof MalformedResponseError)) throw error
    events.push(['refused'])
  }
  return events
}

interface Case {
  readonly what: string
  readonly bytes: string
  readonly method?: string
  readonly events: Told[]
  /** What is behind the message is seen later when it comes apart: the message itself is then told as good. */
  readonly hasMore?: boolean
}

const CASES: readonly Case[] = [
  {
    what: 'a length',
    bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    events: [
      ['head', 200, ['Content-Length', '5'], 5],
      ['body', 'hello'],
      ['end', true],
    ],
  },
  {
    what: 'a length of 0',
    bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    events: [
      ['head', 200, ['Content-Length', '0'], 0],
      ['end', true],
    ],
  },
  {
    what: 'chunks',
    bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nB\r\n, the world\r\n0\r\n\r\n',
    events: [
      ['head', 200, [], undefined],
      ['body', 'hello, the world'],
      ['end', true],
    ],
  },
  {
    what: 'chunks with extensions, which are dropped, and trailers',
    bytes:
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n005 ;a=b;c="d"\r\nhello\r\n0;x\r\nTrailing: 1\r\nOther: 2\r\n\r\n',
    events: [
      ['head', 200, [], undefined],
      ['body', 'hello'],
      ['end', true, ['Trailing', '1', 'Other', '2']],
    ],
  },
  {
    what: 'trailers that were announced',
    bytes: 'HTTP/1.1 200 OK\r\nTrailer: A\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA:\t1 \r\n\r\n',
    events: [
      ['head', 200, ['Trailer', 'A'], undefined],
      ['end', true, ['A', '1']],
    ],
  },
  {
    what: 'an announcement of trailers that a body of known length has no room for',
    bytes: 'HTTP/1.1 200 OK\r\nTrailer: A\r\nContent-Length: 1\r\n\r\na',
    events: [
      ['head', 200, ['Content-Length', '1'], 1],
      ['body', 'a'],
      ['end', true],
    ],
  },
  {
    what: 'no chunk but the last',
    bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    events: [
      ['head', 200, [], undefined],
      ['end', true],
    ],
  },
  {
    what: 'the end of the connection',
    bytes: 'HTTP/1.1 200 OK\r\n\r\nuntil here',
    events: [
      ['head', 200, [], undefined],
      ['body', 'until here'],
      ['end', false],
    ],
  },
  {
    what: 'interim responses, of which those with early hints are told',
    bytes:
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X-One\r\nX-One: 1\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx',
    events: [
      ['hints', ['Link', '</a>']],
      ['head', 200, ['Content-Length', '1'], 1],
      ['body', 'x'],
      ['end', true],
    ],
  },
  {
    what: 'HEAD, whose length is of a body that does not come',
    bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
    method: 'HEAD',
    events: [
      ['head', 200, ['Content-Length', '5'], 0],
      ['end', true],
    ],
  },
  {
    what: 'HEAD with chunked',
    bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    method: 'HEAD',
    events: [
      ['head', 200, [], 0],
      ['end', true],
    ],
  },
  {
    what: '204',
    bytes: 'HTTP/1.1 204 No Content\r\nA: b\r\n\r\n',
    events: [
      ['head', 204, ['A', 'b'], 0],
      ['end', true],
    ],
  },
  {
    what: '204 that announces a body, whose connection is not trusted again',
    bytes: 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n',
    events: [
      ['head', 204, [], 0],
      ['end', false],
    ],
  },
  {
    what: '304 with a length',
    bytes: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
    events: [
      ['head', 304, ['Content-Length', '5'], 0],
      ['end', true],
    ],
  },
  { what: 'a connection that ends in the head', bytes: 'HTTP/1.1 200 OK\r\nA: b\r\n', events: [['cut']] },
  {
    what: 'a body that is cut',
    bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel',
    events: [['head', 200, ['Content-Length', '5'], 5], ['body', 'hel'], ['cut']],
  },
  {
    what: 'a chunked body without its last chunk',
    bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n',
    events: [['head', 200, [], undefined], ['body', 'hel'], ['cut']],
  },
]

const MALFORMED: readonly (readonly [what: string, bytes: string])[] = [
  ['garbage', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
  ['101 that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'],
  ['a flood of interim responses', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(17)],
  ['a chunk size that is none', chunked('zz\r\n')],
  ['an empty chunk size', chunked('\r\n')],
  ['a signed chunk size', chunked('-1\r\n')],
  ['a chunk size with 0x', chunked('0x5\r\nhello\r\n')],
  ['a chunk size that is too long', chunked('1234567890abc\r\n')],
  ['a line break in a chunk extension', chunked('5;a\nb\r\nhello\r\n')],
  ['a blank before the chunk size', chunked(' 5\r\nhello\r\n')],
  ['a chunk longer than it says', chunked('3\r\nhello\r\n')],
  ['a chunk line without end', chunked(`5;${'a'.repeat(17_000)}`)],
  ['a trailer line without end', chunked(`0\r\nA: ${'a'.repeat(17_000)}`)],
  ['too many trailers', chunked(`0\r\n${'A: b\r\n'.repeat(65)}\r\n`)],
  ['trailers that are too long', chunked(`0\r\n${`A: ${'b'.repeat(9000)}\r\n`.repeat(2)}\r\n`)],
  ['a trailer without a colon', chunked('0\r\nno trailer\r\n\r\n')],
  ['a folded trailer', chunked('0\r\nA: b\r\n c\r\n\r\n')],
  ['a control in a trailer', chunked('0\r\nA: b\0c\r\n\r\n')],
  ['a bare line break in a trailer', chunked('0\r\nA: b\nB: c\r\n\r\n')],
  ['a head without end', `HTTP/1.1 200 OK\r\nA: ${'a'.repeat(66_000)}`],
  ['a head that is too long', `HTTP/1.1 200 OK\r\nA: ${'a'.repeat(66_000)}\r\n\r\n`],
]

function chunked(body: string): string {
  return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`
}

describe('a response from the wire', () => {
  for (const { what, bytes, method, events } of CASES) {
    it(`is read with ${what}, wherever it is split`, () => {
      assert.deepEqual(read([bytes], method), events)
      assert.deepEqual(read([...bytes], method), events)
      for (let at = 1; at < bytes.length; at++) {
        assert.deepEqual(read([bytes.slice(0, at), bytes.slice(at)], method), events, `split at ${at}`)
      }
    })
  }

  for (const [what, bytes] of MALFORMED) {
    it(`is refused with ${what}, wherever it is split`, () => {
      assert.deepEqual(read([bytes]).at(-1), ['refused'])
      const step = Math.ceil(bytes.length / 50)
      for (let at = step; at < bytes.length; at += step) {
        assert.deepEqual(read([bytes.slice(0, at), bytes.slice(at)]).at(-1), ['refused'], `split at ${at}`)
      }
    })
  }

  const TWO = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb'
  for (const [what, bytes, method] of [
    ['a second response', TWO, 'GET'],
    ['the body of a HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na', 'HEAD'],
    ['the body of a 304', 'HTTP/1.1 304 Not Modified\r\n\r\na', 'GET'],
    ['the body of a 204', 'HTTP/1.1 204 No Content\r\n\r\na', 'GET'],
    ['a stray line end', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na\r\n', 'GET'],
  ] as const) {
    it(`that is followed by ${what} is complete, and its connection is not used again`, () => {
      const { events, parser } = reading(method)
      parser.push(Buffer.from(bytes))
      assert.deepEqual(events.at(-1), ['end', false])
      assert.equal(events.filter(([kind]) => kind === 'head').length, 1)
      assert.ok(!events.some(([kind, text]) => kind === 'body' && text !== 'a'))
    })

    it(`that is followed by ${what} in a later read ends in an error`, () => {
      const { events, parser } = reading(method)
      const end = bytes.indexOf('\r\n\r\n') + 4 + (method === 'GET' && bytes.includes('200') ? 1 : 0)
      parser.push(Buffer.from(bytes.slice(0, end)))
      assert.deepEqual(events.at(-1), ['end', true])
      assert.throws(() => parser.push(Buffer.from(bytes.slice(end))), MalformedResponseError)
    })
  }

  it('is followed by the next one on the same connection', () => {
    const { events, parser } = reading('HEAD')
    parser.push(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n'))
    parser.expect('GET')
    parser.push(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb'))
    assert.deepEqual(events.slice(-2), [
      ['body', 'b'],
      ['end', true],
    ])
  })

  it('is not read before a request was sent', () => {
    const sink = { onEarlyHints() {}, onHead() {}, onBody() {}, onMessageEnd() {}, onSwitch() {} }
    const parser = new ResponseParser(sink)
    assert.throws(() => parser.push(Buffer.from('HTTP/1.1 200 OK\r\n\r\n')), /belong to no request/)
  })

  it('may be followed at once by a request that the end of the message gave way to', () => {
    const events: string[] = []
    const parser: ResponseParser = new ResponseParser({
      onEarlyHints: () => events.push('hints'),
      onHead: (head) => events.push(String(head.status)),
      onBody: (bytes) => events.push(bytes.toString()),
      onMessageEnd: (mayReuse) => {
        events.push(`end ${mayReuse}`)
        if (events.length < 4) parser.expect('GET')
      },
      onSwitch: () => events.push('switch'),
    })
    parser.expect('GET')
    parser.push(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na'))
    parser.push(Buffer.from('HTTP/1.1 201 OK\r\nContent-Length: 1\r\n\r\nb'))
    assert.deepEqual(events, ['200', 'a', 'end true', '201', 'b', 'end true'])
  })

  it('of 101 ends HTTP where another protocol was asked for, and only there', () => {
    const bytes =
      'HTTP/1.1 101 Over\r\nUpgrade: a\r\nConnection: Upgrade\r\nContent-Length: 9\r\nX: 1\r\n\r\n\x81\0'
    const { events, parser } = reading()
    parser.expect('GET', true)
    parser.push(Buffer.from('HTTP/1.1 103 Early Hints\r\n\r\n', 'latin1'))
    parser.push(Buffer.from(bytes, 'latin1'))
    assert.deepEqual(events.shift(), ['hints', []])
    assert.deepEqual(events, [['switch', 101, ['X', '1'], 'a', '\x81\0']])
    assert.equal(parser.isBusy, false)
    assert.deepEqual(read([bytes]), [['refused']])
  })
})
