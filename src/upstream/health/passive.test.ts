import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type FailureKind, TransportError } from '../transport.ts'
import { readChecks } from './checks.ts'
import { type HealthChange, NodeHealth } from './node-health.ts'
import { reportAnswer, reportFailure } from './passive.ts'

function nodeWith(passive?: Record<string, unknown>): { node: NodeHealth; changes: HealthChange[] } {
  const changes: HealthChange[] = []
  const owner = { now: () => 7, onChange: (_: NodeHealth, change: HealthChange) => void changes.push(change) }
  const target = { address: 'a:1', ip: 'a', port: 1, hostname: 'a', hostheader: undefined }
  const spec = readChecks({ checks: { active: {}, ...(passive && { passive }) } })!
  return { node: new NodeHealth(target, spec.passive, owner), changes }
}

function counts(node: NodeHealth): string {
  return Object.values(node.counter).join('')
}

function failure(kind: FailureKind): TransportError {
  return new TransportError(kind, `it was ${kind}`)
}

describe('an answer of a node', () => {
  it('counts by the lists, and keeps the reason and time of a change', () => {
    const { node, changes } = nodeWith({ unhealthy: { http_statuses: [500], http_failures: 2 } })
    for (const status of [500, 404, 500]) reportAnswer(node, status)
    assert.equal(node.status, 'unhealthy')
    const reason = 'passive check: status 500 (http_failure 2 of 2)'
    assert.deepEqual(node.lastChange, { from: 'mostly_healthy', to: 'unhealthy', reason, atMs: 7 })
    assert.equal(changes.length, 2)
  })

  it('brings a node back after enough successes', () => {
    const { node } = nodeWith({ healthy: { successes: 2 }, unhealthy: { http_failures: 1 } })
    reportAnswer(node, 503)
    reportAnswer(node, 200)
    assert.equal(node.status, 'mostly_unhealthy')
    reportAnswer(node, 301)
    assert.equal(node.status, 'healthy')
  })

  it('says nothing without a passive section', () => {
    const { node } = nodeWith()
    for (let i = 0; i < 10; i++) reportAnswer(node, 500)
    assert.equal(counts(node), '0000')
  })
})

describe('a failed attempt', () => {
  for (const [kind, counter] of [
    ['connect', '0010'],
    ['reset', '0010'],
    ['connect-timeout', '0001'],
    ['send-timeout', '0001'],
    ['read-timeout', '0001'],
    ['protocol', '0100'],
    ['queue-full', '0000'],
  ] as const) {
    it(`of kind ${kind} counts as ${counter} when it is made again, with or without a passive section`, () => {
      for (const passive of [undefined, {}]) {
        const { node } = nodeWith(passive)
        reportFailure(node, { error: failure(kind), status: 502, isRetryDue: true })
        assert.equal(counts(node), counter)
      }
    })
  }

  it('that is the last counts only with a passive section', () => {
    const last = { error: failure('read-timeout'), status: 504, isRetryDue: false }
    const [without, configured] = [nodeWith().node, nodeWith({}).node]
    reportFailure(without, last)
    reportFailure(configured, last)
    assert.deepEqual([counts(without), counts(configured)], ['0000', '0001'])
  })

  it('that is the last counts by its status where that stands in the list', () => {
    const { node } = nodeWith({ unhealthy: { http_statuses: [504] } })
    reportFailure(node, { error: failure('read-timeout'), status: 504, isRetryDue: false })
    assert.equal(counts(node), '0100')
  })
})
