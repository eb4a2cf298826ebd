import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatSyslog } from './rfc5424.ts'

const message = {
  timeMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
  hostname: 'api.test',
  processId: 42,
  text: '{"a":1}',
}

describe('a syslog message', () => {
  it('has priority, version, time, host, application, process and text', () => {
    assert.equal(formatSyslog(message), '<46>1 2026-01-02T03:04:05.006Z api.test apisix 42 - - {"a":1}')
  })

  it('cannot be broken by the name of a host', () => {
    const hostname = 'a b\n<0>1 x\u00e9'
    assert.match(formatSyslog({ ...message, hostname }), /^<46>1 \S+ a\?b\?<0>1\?x\? apisix 42 - - /)
    assert.match(formatSyslog({ ...message, hostname: '' }), /^<46>1 \S+ - apisix /)
    assert.match(formatSyslog({ ...message, hostname: 'x'.repeat(999) }), /^<46>1 \S+ x{255} apisix /)
  })
})
