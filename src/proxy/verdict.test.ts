import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type FailureKind, TransportError } from '../upstream/transport.ts'
import { judge } from './verdict.ts'

interface Row {
  readonly kind: FailureKind
  readonly status: number
  readonly code: string
  /** What follows for a GET, for a sent POST, for a POST of which nothing was sent. */
  readonly retries: readonly [get: string, sentPost: string, unsentPost: string]
}

const ROWS: readonly Row[] = [
  {
    kind: 'connect',
    status: 502,
    code: 'upstream_connect_failed',
    retries: ['next-node', 'never', 'next-node'],
  },
  {
    kind: 'connect-timeout',
    status: 504,
    code: 'upstream_connect_timeout',
    retries: ['next-node', 'never', 'next-node'],
  },
  {
    kind: 'send-timeout',
    status: 504,
    code: 'upstream_send_timeout',
    retries: ['next-node', 'never', 'next-node'],
  },
  {
    kind: 'read-timeout',
    status: 504,
    code: 'upstream_read_timeout',
    retries: ['next-node', 'never', 'next-node'],
  },
  { kind: 'reset', status: 502, code: 'upstream_reset', retries: ['next-node', 'never', 'next-node'] },
  { kind: 'protocol', status: 502, code: 'upstream_protocol_error', retries: ['never', 'never', 'never'] },
  { kind: 'queue-full', status: 503, code: 'upstream_queue_full', retries: ['never', 'never', 'never'] },
]

describe('the verdict on a failed attempt', () => {
  for (const { kind, status, code, retries } of ROWS) {
    it(`of kind ${kind} is ${status}`, () => {
      const sent = new TransportError(kind, 'x')
      const unsent = new TransportError(kind, 'x', { isUnsent: true })
      assert.deepEqual(judge(sent, 'GET', true), { status, code, retry: retries[0] })
      assert.equal(judge(sent, 'POST', true).retry, retries[1])
      assert.equal(judge(unsent, 'POST', true).retry, retries[2])
      assert.equal(judge(unsent, 'GET', false).retry, 'never', 'without its body it cannot be sent again')
    })
  }

  it('lets every method be sent again but POST, LOCK and PATCH', () => {
    const sent = new TransportError('reset', 'x')
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      assert.equal(judge(sent, method, true).retry, 'next-node', method)
    }
    for (const method of ['POST', 'LOCK', 'PATCH'])
      assert.equal(judge(sent, method, true).retry, 'never', method)
  })

  it('asks the same node again when it only closed an idle connection', () => {
    const stale = new TransportError('reset', 'x', { isStaleConnection: true })
    assert.equal(judge(stale, 'GET', true).retry, 'fresh-connection')
    assert.equal(judge(stale, 'POST', true).retry, 'never')
    assert.equal(judge(stale, 'PUT', false).retry, 'never')
  })
})
