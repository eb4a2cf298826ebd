import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SCHEMAS } from '../../model/schemas/index.ts'
import { compileValidator } from '../../model/validator.ts'
import { BAD, GOOD, readChecks, type StatusVerdicts } from './checks.ts'

function listed(verdicts: StatusVerdicts, verdict: number): number[] {
  return [...verdicts.keys()].filter((status) => verdicts[status] === verdict)
}

describe('checks', () => {
  it('are absent where the document has none', () => assert.equal(readChecks({}), undefined))

  it('have every default as soon as `active` is there, both intervals among them', () => {
    const { active, passive } = readChecks({ checks: { active: {} } })!
    const { statuses, ...rest } = active
    assert.deepEqual(rest, {
      type: 'http',
      timeoutMs: 1000,
      concurrency: 10,
      host: undefined,
      port: undefined,
      path: '/',
      verifiesCertificate: true,
      headers: [],
      healthyIntervalMs: 1000,
      unhealthyIntervalMs: 1000,
      limits: { successes: 2, httpFailures: 5, tcpFailures: 2, timeouts: 3 },
    })
    assert.deepEqual(listed(statuses, GOOD), [200, 302])
    assert.deepEqual(listed(statuses, BAD), [404, 429, 500, 501, 502, 503, 504, 505])
    assert.equal(passive.isConfigured, false)
    assert.deepEqual(passive.limits, { successes: 5, httpFailures: 5, tcpFailures: 2, timeouts: 7 })
    assert.deepEqual(listed(passive.statuses, BAD), [429, 500, 503])
  })

  it('are read the same whether the schema filled its defaults in or not', () => {
    const checks = () => ({ active: { healthy: {}, unhealthy: {} }, passive: { healthy: {}, unhealthy: {} } })
    const filled = { nodes: {}, checks: checks() }
    assert.equal(compileValidator(SCHEMAS.upstreams)(filled), undefined)
    assert.notDeepEqual(filled.checks, checks())
    assert.deepEqual(readChecks(filled), readChecks({ checks: checks() }))
  })

  it('take what is configured, times in seconds', () => {
    const { active, passive } = readChecks({
      checks: {
        active: {
          type: 'https',
          timeout: 0.5,
          concurrency: 2,
          host: 'a.test',
          port: 81,
          http_path: '/h?x=1',
          https_verify_certificate: false,
          req_headers: ['A: b'],
          healthy: { interval: 30, http_statuses: [204], successes: 1 },
          unhealthy: { interval: 2, http_statuses: [418], http_failures: 1, tcp_failures: 3, timeouts: 4 },
        },
        passive: { unhealthy: { timeouts: 0 } },
      },
    })!
    assert.deepEqual(
      [active.type, active.timeoutMs, active.concurrency, active.host],
      ['https', 500, 2, 'a.test'],
    )
    assert.deepEqual([active.port, active.path, active.verifiesCertificate], [81, '/h?x=1', false])
    assert.deepEqual([active.healthyIntervalMs, active.unhealthyIntervalMs], [30_000, 2000])
    assert.deepEqual(active.limits, { successes: 1, httpFailures: 1, tcpFailures: 3, timeouts: 4 })
    assert.deepEqual([listed(active.statuses, GOOD), listed(active.statuses, BAD)], [[204], [418]])
    assert.equal(passive.isConfigured, true)
    assert.equal(passive.limits.timeouts, 0)
  })

  it('are refused when a probe made from them would be more than one request', () => {
    const path = { checks: { active: { http_path: '/\r\nX: y' } } }
    const header = { checks: { active: { req_headers: ['A: b\nC: d'] } } }
    assert.throws(() => readChecks(path), /http_path "\/\\r\\nX: y" has a control character/)
    assert.throws(() => readChecks(header), /req_headers "A: b\\nC: d" has a control character/)
  })
})
