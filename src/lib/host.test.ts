import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseHost } from './host.ts'

describe('host header', () => {
  const accepted: [sent: string, host: string, port?: number][] = [
    ['a.com', 'a.com'],
    ['A.CoM', 'a.com'],
    ['a.com.', 'a.com'],
    ['A.com.:8080', 'a.com', 8080],
    ['a.com:', 'a.com'],
    ['localhost:9080', 'localhost', 9080],
    ['my_service', 'my_service'],
    ['127.0.0.1:80', '127.0.0.1', 80],
    ['[::1]', '[::1]'],
    ['[2001:DB8::1]:443', '[2001:db8::1]', 443],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    [Buffer.from('Bücher.example').toString('latin1'), 'xn--bcher-kva.example'],
    ['bücher.example:81'.replace('ü', '\u0075\u0308'), 'xn--bcher-kva.example', 81],
  ]
  for (const [sent, host, port] of accepted) {
    it(`${JSON.stringify(sent)} is ${host}`, () => assert.deepEqual(parseHost(sent), { host, port }))
  }

  const malformed = [
    '',
    '.',
    ':80',
    'a..com',
    '.a.com',
    'a.com..',
    'a b',
    'a,b',
    'user@a.com',
    'a.com@evil',
    'a/b',
  ]
  const ports = [
    'a:b',
    'a:80:90',
    'a:65536',
    'a:-1',
    'a: 80',
    '::1',
    '[::1',
    '[::1]x',
    '[::1]:x',
    '[]',
    '[a]',
    '[fe80::1%25x]',
  ]
  for (const sent of [...malformed, ...ports, 'a%41', 'a\u0000', 'a\tb', '*', '\u00ff']) {
    it(`${JSON.stringify(sent)} is malformed`, () => assert.equal(parseHost(sent), undefined))
  }

  it('a host read again is itself, and never throws on the way', () => {
    fc.assert(
      fc.property(fc.oneof(fc.domain(), fc.string(), fc.string({ unit: 'binary' })), (sent) => {
        const host = parseHost(sent)?.host
        if (host !== undefined) assert.deepEqual(parseHost(host), { host, port: undefined })
      }),
    )
  })
})
