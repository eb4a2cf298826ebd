import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MalformedResponseError, parseResponseHead } from './response-head.ts'

const OK = 'HTTP/1.1 200 OK'

const REFUSED: readonly (readonly [what: string, head: string])[] = [
  ['no status line', 'hello'],
  ['HTTP/2', 'HTTP/2.0 200 OK'],
  ['HTTP/0.9 style text', '<html>'],
  ['lower-case protocol', 'http/1.1 200 OK'],
  ['a status of two digits', 'HTTP/1.1 20 OK'],
  ['a status of four digits', 'HTTP/1.1 2000 OK'],
  ['a status below 100', 'HTTP/1.1 099 OK'],
  ['two spaces before the status', 'HTTP/1.1  200 OK'],
  ['an empty line first', `\r\n${OK}`],
  ['a line without colon', `${OK}\r\nnonsense`],
  ['an empty name', `${OK}\r\n: v`],
  ['a space before the colon', `${OK}\r\nA : v`],
  ['a folded line', `${OK}\r\nA: v\r\n more`],
  ['a line folded with a tab', `${OK}\r\nA: v\r\n\tmore: x`],
  ['a first line that is folded', `${OK}\r\n A: v`],
  ['a bare LF', `${OK}\r\nA: v\nB: w`],
  ['a bare CR', `${OK}\r\nA: v\rB: w`],
  ['a bare LF in the status line', `${OK}\nA: v`],
  ['NUL in a value', `${OK}\r\nA: v\0`],
  ['NUL in a name', `${OK}\r\nA\0: v`],
  ['another control character', `${OK}\r\nA: \x01`],
  ['DEL', `${OK}\r\nA: \x7f`],
  ['a byte above ASCII in a name', `${OK}\r\nN\xe4me: v`],
  ['an empty Content-Length', `${OK}\r\nContent-Length:`],
  ['a signed Content-Length', `${OK}\r\nContent-Length: +5`],
  ['a negative Content-Length', `${OK}\r\nContent-Length: -5`],
  ['a hexadecimal Content-Length', `${OK}\r\nContent-Length: 0x5`],
  ['a Content-Length with a fraction', `${OK}\r\nContent-Length: 5.0`],
  ['a Content-Length that is a list', `${OK}\r\nContent-Length: 5, 5`],
  ['a Content-Length beyond what can be counted', `${OK}\r\nContent-Length: 99999999999999999999`],
  ['two different Content-Lengths', `${OK}\r\nContent-Length: 5\r\ncontent-length: 6`],
  ['Content-Length and Transfer-Encoding', `${OK}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked`],
  ['Transfer-Encoding and Content-Length', `${OK}\r\nTransfer-Encoding: chunked\r\nContent-Length: 5`],
  ['a coding that is not understood', `${OK}\r\nTransfer-Encoding: gzip`],
  ['two codings', `${OK}\r\nTransfer-Encoding: gzip, chunked`],
  ['chunked twice', `${OK}\r\nTransfer-Encoding: chunked, chunked`],
  ['chunked twice, in two lines', `${OK}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked`],
  ['an empty coding', `${OK}\r\nTransfer-Encoding:`],
  ['a list that begins with nothing', `${OK}\r\nTransfer-Encoding: ,chunked`],
  ['identity', `${OK}\r\nTransfer-Encoding: identity`],
]

describe('the head of a response', () => {
  for (const [what, head] of REFUSED) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => parseResponseHead(head), MalformedResponseError)
    })
  }

  it('gives status, reason and headers in wire order, duplicates kept', () => {
    const head = parseResponseHead('HTTP/1.1 404 Not  Found\r\nB: 1\r\nA: 2\r\nb: 3')
    assert.deepEqual(head, {
      status: 404,
      reason: 'Not  Found',
      headers: ['B', '1', 'A', '2', 'b', '3'],
      bodyLength: undefined,
      isChunked: false,
      hasAnnouncedTrailers: false,
      mayReuse: true,
      upgrade: undefined,
    })
  })

  it('does without reason and headers', () => {
    assert.equal(parseResponseHead('HTTP/1.1 200').reason, '')
    assert.equal(parseResponseHead('HTTP/1.1 200 ').reason, '')
    assert.deepEqual(parseResponseHead('HTTP/1.1 200').headers, [])
  })

  it('takes blanks off both ends of a value, and nothing else', () => {
    const head = parseResponseHead(`${OK}\r\nA: \t v w \t\r\nB:\r\nC:x\r\nD: voil\xc3\xa0 `)
    assert.deepEqual(head.headers, ['A', 'v w', 'B', '', 'C', 'x', 'D', 'voil\xc3\xa0'])
  })

  it('keeps one Content-Length of several equal ones', () => {
    const head = parseResponseHead(`${OK}\r\nContent-Length: 5\r\nContent-Length: 5`)
    assert.equal(head.bodyLength, 5)
    assert.deepEqual(head.headers, ['Content-Length', '5'])
  })

  it('takes out what is about this connection', () => {
    const head = parseResponseHead(
      `${OK}\r\nTransfer-Encoding: Chunked\r\nConnection: X-Hop, keep-alive\r\nx-hop: 1\r\nKeep-Alive: timeout=5\r\n` +
        'Upgrade: h2c\r\nProxy-Connection: close\r\nX-Kept: 2',
    )
    assert.deepEqual(head.headers, ['X-Kept', '2'])
    assert.equal(head.isChunked, true)
  })

  const REUSE: readonly (readonly [head: string, mayReuse: boolean])[] = [
    ['HTTP/1.1 200 OK', true],
    ['HTTP/1.0 200 OK', false],
    ['HTTP/1.1 200 OK\r\nConnection: close', false],
    ['HTTP/1.1 200 OK\r\nConnection: Close', false],
    ['HTTP/1.0 200 OK\r\nConnection: keep-alive', true],
    ['HTTP/1.1 200 OK\r\nConnection: close, keep-alive', false],
    ['HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close', false],
    ['HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked', false],
  ]
  for (const [head, mayReuse] of REUSE) {
    it(`${mayReuse ? 'lets' : 'does not let'} the connection serve again after ${JSON.stringify(head)}`, () => {
      assert.equal(parseResponseHead(head).mayReuse, mayReuse)
    })
  }
})
