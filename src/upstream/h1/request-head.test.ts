import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { OutgoingBody, OutgoingRequest } from '../transport.ts'
import { writeRequestHead } from './request-head.ts'

function request(change: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return {
    method: 'GET',
    target: '/a?b',
    headers: ['Host', 'node'],
    body: undefined,
    connectMs: 1,
    sendMs: 1,
    readMs: 1,
    needsFreshConnection: false,
    ...change,
  }
}

function body(length: number | undefined): OutgoingBody {
  return { length, attach() {}, resume() {}, detach() {} }
}

describe('the head of a request', () => {
  it('is written line by line, headers in the given order and spelling', () => {
    const headers = ['Host', 'node:81', 'x-a', '1', 'X-A', 'caf\xc3\xa9', 'Empty', '']
    assert.equal(
      writeRequestHead(request({ method: 'PROPFIND', target: '//a%2Fb;c?d=[e]&f', headers })),
      'PROPFIND //a%2Fb;c?d=[e]&f HTTP/1.1\r\nHost: node:81\r\nx-a: 1\r\nX-A: caf\xc3\xa9\r\nEmpty: \r\n\r\n',
    )
  })

  it('announces the body by its length, or as chunked when that is not known', () => {
    assert.match(writeRequestHead(request({ body: body(12) })), /\r\nContent-Length: 12\r\n\r\n$/)
    assert.match(writeRequestHead(request({ body: body(0) })), /\r\nContent-Length: 0\r\n\r\n$/)
    assert.match(
      writeRequestHead(request({ body: body(undefined) })),
      /\r\nTransfer-Encoding: chunked\r\n\r\n$/,
    )
    assert.doesNotMatch(writeRequestHead(request()), /content-length|transfer-encoding/i)
  })

  const REFUSED: readonly (readonly [what: string, change: Partial<OutgoingRequest>])[] = [
    ['a space in the target', { target: '/a b' }],
    ['a line break in the target', { target: '/a\r\nX: y' }],
    ['no target', { target: '' }],
    ['a target character that is no byte', { target: '/\u010a' }],
    ['a method with a space', { method: 'GET /x' }],
    ['no method', { method: '' }],
    ['a line break in the Host', { headers: ['Host', 'a\r\nX: y'] }],
    ['NUL in a value', { headers: ['Host', 'a', 'b', 'c\0'] }],
    ['a value character that would be cut down to a line break', { headers: ['Host', 'a', 'b', '\u010a'] }],
  ]
  for (const [what, change] of REFUSED) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => writeRequestHead(request(change)), TypeError)
    })
  }
})
