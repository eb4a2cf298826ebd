import assert from 'node:assert/strict'
import { STATUS_CODES } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { type Stage, startStage } from './stage.ts'

const POST = 'POST /x HTTP/1.1\r\nHost: a\r\n'
const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n'
const chunked = (line: string, body = '3\r\nabc\r\n0\r\n\r\n') => `${POST}${line}\r\n\r\n${body}`
const length = (value: string) => `${POST}Content-Length:${value}\r\n\r\nabc`
const expects = (value: string) => `${POST}Content-Length: 0\r\nExpect:${value}\r\n\r\n`
const host = (value: string) => `GET /x HTTP/1.1\r\nHost:${value}\r\n\r\n`
const coded = 'Transfer-Encoding: chunked'

/** What it is, the status, the bytes (reliability.md §2.3). */
const REFUSED: readonly (readonly [what: string, status: number, bytes: string])[] = [
  ['two Content-Lengths', 400, `${POST}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc`],
  ['the same Content-Length twice', 400, `${POST}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`],
  ['a list of lengths', 400, length(' 3, 3')],
  ['a length with a plus', 400, length(' +3')],
  ['a negative length', 400, length(' -3')],
  ['a length in hex', 400, length(' 0x3')],
  ['a length with a fraction', 400, length(' 3.0')],
  ['an empty length', 400, length('')],
  ['a blank length', 400, length('  ')],
  ['two words as length', 400, length(' 1 2')],
  ['a length beyond 64 bits', 400, length(' 99999999999999999999')],
  ['a length beyond what is counted exactly', 413, length(' 9999999999999999')],
  ['length beside chunks', 400, chunked(`Content-Length: 3\r\n${coded}`)],
  ['chunks beside a length', 400, chunked(`${coded}\r\nContent-Length: 3`)],
  ['",chunked"', 400, chunked('Transfer-Encoding: ,chunked')],
  ['"chunked, chunked"', 400, chunked('Transfer-Encoding: chunked, chunked')],
  ['two lines of chunked', 400, chunked(`${coded}\r\n${coded}`)],
  ['"chunked,"', 400, chunked('Transfer-Encoding: chunked,')],
  ['"gzip, chunked"', 501, chunked('Transfer-Encoding: gzip, chunked')],
  ['"identity, chunked" in two lines', 501, chunked(`Transfer-Encoding: identity\r\n${coded}`)],
  ['"chunked, identity"', 400, chunked('Transfer-Encoding: chunked, identity')],
  ['identity', 501, chunked('Transfer-Encoding: identity')],
  ['gzip', 501, chunked('Transfer-Encoding: gzip')],
  ['an empty Transfer-Encoding', 400, chunked('Transfer-Encoding:')],
  ['a coding in quotes', 400, chunked('Transfer-Encoding: "chunked"')],
  ['"xchunked"', 501, chunked('Transfer-Encoding: xchunked')],
  ['a coding with a parameter', 400, chunked('Transfer-Encoding: chunked;q=1')],
  ['a coding before a tab', 400, chunked('Transfer-Encoding: chunked\t')],
  ['a coding behind a vertical tab', 400, chunked('Transfer-Encoding: \x0bchunked')],
  ['a folded coding', 400, chunked('Transfer-Encoding:\r\n chunked')],
  ['Transfer-Encoding and a space', 400, chunked('Transfer-Encoding : chunked')],
  ['chunks on HTTP/1.0', 400, chunked(coded).replace('1.1', '1.0')],
  ['a bare LF in a chunk line', 400, chunked(coded, '3\nabc\r\n0\r\n\r\n')],
  ['a chunk without its CRLF', 400, chunked(coded, '3\r\nabcX0\r\n\r\n')],
  ['a chunk size too large', 400, chunked(coded, 'fffffffffffffffff\r\nabc')],
  ['a negative chunk size', 400, chunked(coded, '-3\r\nabc\r\n0\r\n\r\n')],
  ['a chunk size with 0x', 400, chunked(coded, '0x3\r\nabc\r\n0\r\n\r\n')],
  ['a space behind the chunk size', 400, chunked(coded, '3 \r\nabc\r\n0\r\n\r\n')],
  ['LF in a chunk extension', 400, chunked(coded, '3;a\nb\r\nabc\r\n0\r\n\r\n')],
  ['chunk extensions without end', 400, chunked(coded, `3;${'a'.repeat(20_000)}\r\nabc\r\n0\r\n\r\n`)],
  ['a length in the trailers', 400, chunked(coded, '3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n')],
  ['bare LF everywhere', 400, 'GET /x HTTP/1.1\nHost: a\n\n'],
  ['one bare LF', 400, 'GET /x HTTP/1.1\r\nHost: a\nX: b\r\n\r\n'],
  ['a bare CR', 400, 'GET /x HTTP/1.1\r\nHost: a\rX: b\r\n\r\n'],
  ['a bare CR at the end', 400, `${GET}\rX`],
  ['a folded line', 400, `${GET}X: a\r\n b\r\n\r\n`],
  ['NUL in a value', 400, `${GET}X: a\0b\r\n\r\n`],
  ['NUL in a name', 400, `${GET}X\0: a\r\n\r\n`],
  ['a control in a value', 400, `${GET}X: a\x01b\r\n\r\n`],
  ['DEL in a value', 400, `${GET}X: a\x7fb\r\n\r\n`],
  ['a name beyond ASCII', 400, `${GET}X\x80: a\r\n\r\n`],
  ['a space before the colon', 400, 'GET /x HTTP/1.1\r\nHost : a\r\n\r\n'],
  ['a tab before the colon', 400, 'GET /x HTTP/1.1\r\nHost\t: a\r\n\r\n'],
  ['a space before the first header', 400, 'GET /x HTTP/1.1\r\n Host: a\r\n\r\n'],
  ['a line without a colon', 400, `${GET}X\r\n\r\n`],
  ['a line without a name', 400, `${GET}: x\r\n\r\n`],
  ['no Host', 400, 'GET /x HTTP/1.1\r\n\r\n'],
  ['two Hosts', 400, 'GET /x HTTP/1.1\r\nHost: a\r\nhOST: a\r\n\r\n'],
  ['two Hosts on HTTP/1.0', 400, 'GET /x HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n'],
  ['an empty Host', 400, host('')],
  ['a Host with user information', 400, host(' u@a')],
  ['a Host with a comma', 400, host(' a,b')],
  ['a Host with a space', 400, host(' a b')],
  ['a Host with a path', 400, host(' a/b')],
  ['a Host with a bad port', 400, host(' a:99999')],
  ['an absolute target without Host', 400, 'GET http://a/x HTTP/1.1\r\n\r\n'],
  ['an absolute target beside a bad Host', 400, 'GET http://a/x HTTP/1.1\r\nHost: b c\r\n\r\n'],
  ['an absolute target with user information', 400, 'GET http://u@a/x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a target of another scheme', 400, 'GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a fragment', 400, 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a path above the root', 400, 'GET /../x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['an encoded NUL', 400, 'GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a bad escape', 400, 'GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a byte beyond ASCII in the path', 400, 'GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['OPTIONS *', 400, 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['GET *', 400, 'GET * HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['TRACE', 405, 'TRACE /x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['CONNECT', 405, 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'],
  ['CONNECT to a path', 405, 'CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a method of RTSP', 405, 'DESCRIBE /x RTSP/1.0\r\nHost: a\r\n\r\n'],
  ['a method in lower case', 400, 'get /x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['GETX', 400, 'GETX /x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a space before the method', 400, ' GET /x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a tab behind the method', 400, 'GET\t/x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['the preface of HTTP/2', 400, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['HTTP/2.0', 505, 'GET /x HTTP/2.0\r\nHost: a\r\n\r\n'],
  ['HTTP/0.9 by name', 505, 'GET /x HTTP/0.9\r\nHost: a\r\n\r\n'],
  ['HTTP/1.2', 400, 'GET /x HTTP/1.2\r\nHost: a\r\n\r\n'],
  ['http in lower case', 400, 'GET /x http/1.1\r\nHost: a\r\n\r\n'],
  ['an unknown expectation', 417, expects(' 200-ok')],
  ['an expectation with more behind it', 417, expects(' 100-continue, x')],
  ['an expectation twice', 417, expects(' 100-continue\r\nExpect: 100-continue')],
  ['an empty expectation', 417, expects('')],
  ['a URI that is too long', 414, `GET /${'a'.repeat(8192)} HTTP/1.1\r\nHost: a\r\n\r\n`],
  ['a URI longer than all headers may be', 414, `GET /${'a'.repeat(33_000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
  ['headers that are too long', 431, `${GET}X: ${'a'.repeat(33_000)}\r\n\r\n`],
  ['too many headers', 431, `${GET}${'X: a\r\n'.repeat(100)}\r\n`],
  ['more headers than the parser keeps', 431, `${GET}${'X:\r\n'.repeat(4000)}\r\n`],
]

describe('the front door refuses', () => {
  const ends: (() => unknown)[] = []
  let stage: Stage
  before(async () => {
    stage = await startStage({ after: (end: () => unknown) => void ends.unshift(end) } as never)
  })
  after(async () => {
    for (const end of ends) await end()
  })

  for (const [what, status, bytes] of REFUSED) {
    it(`${what} with ${status}, closes and counts it`, async () => {
      const follower = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'
      const before = await refusals(stage)
      const { text, statuses, isClosed } = await stage.exchange(bytes + follower)
      assert.deepEqual(statuses, [status])
      assert.match(text, /\r\nconnection: close\r\n/i)
      assert.match(text, /\r\ncontent-type: application\/json\r\n/i)
      assert.ok(text.endsWith(`\r\n\r\n{"error_msg":"${status} ${STATUS_CODES[status]}"}\n`), text)
      assert.ok(isClosed, 'the connection has ended')
      assert.equal(await refusals(stage), before + 1, 'counted once')
      const paths = stage.received.map(({ url }) => url)
      assert.ok(!paths.includes('/smuggled'), 'nothing behind it was taken for a request')
    })
  }

  it('none of them in a way that the node hears of a whole request', () => {
    // A body that breaks off in the middle had begun to stream; its request never ended.
    assert.deepEqual(stage.bodyBytes, [])
  })
})

/** All reasons together, from the metrics listener. */
async function refusals({ gateway }: Stage): Promise<number> {
  const { port } = gateway.addresses.metrics!
  const metrics = await (await fetch(`http://127.0.0.1:${port}/apisix/prometheus/metrics`)).text()
  const lines = metrics.match(/^gatewright_refused_requests_total\{reason="[a-z-]+"\} \d+$/gm) ?? []
  return lines.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0)
}
