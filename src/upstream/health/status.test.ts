import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  advance,
  type HealthState,
  type HealthStatus,
  INITIAL_HEALTH,
  isUsable,
  type ReportKind,
} from './status.ts'

/** Limits of the tables: two successes, three HTTP failures, two TCP failures, timeouts switched off. */
const LIMITS: Readonly<Record<ReportKind, number>> = {
  success: 2,
  http_failure: 3,
  tcp_failure: 2,
  timeout_failure: 0,
}
const REPORTS: Readonly<Record<string, ReportKind>> = {
  s: 'success',
  h: 'http_failure',
  t: 'tcp_failure',
  o: 'timeout_failure',
}

function after(reports: string): HealthState {
  let state = INITIAL_HEALTH
  for (const letter of reports) state = advance(state, REPORTS[letter]!, LIMITS[REPORTS[letter]!])
  return state
}

describe('the health of a node', () => {
  const rows: readonly (readonly [string, string, HealthStatus, string])[] = [
    ['begins healthy', '', 'healthy', '0000'],
    ['counts no success while it is healthy', 'ss', 'healthy', '0000'],
    ['wavers at the first failure', 'h', 'mostly_healthy', '0100'],
    ['wavers below every limit', 'hht', 'mostly_healthy', '0210'],
    ['is unhealthy at the limit of HTTP failures', 'hhh', 'unhealthy', '0300'],
    ['is unhealthy at the limit of TCP failures', 'tt', 'unhealthy', '0020'],
    ['counts each kind by itself', 'hth', 'mostly_healthy', '0210'],
    ['counts no failure while it is unhealthy', 'tthhhh', 'unhealthy', '0020'],
    ['forgets failures at a success', 'hhs', 'mostly_healthy', '1000'],
    ['needs failures in a row', 'hhshh', 'mostly_healthy', '0200'],
    ['is healthy again after enough successes', 'hss', 'healthy', '2000'],
    [
      'keeps its counters over the switch and clears them at the next failure',
      'hssh',
      'mostly_healthy',
      '0100',
    ],
    ['recovers by way of mostly unhealthy', 'tts', 'mostly_unhealthy', '1000'],
    ['is healthy again after the limit of successes', 'ttss', 'healthy', '2000'],
    ['forgets successes at a failure', 'ttsh', 'mostly_unhealthy', '0100'],
    ['falls back at the limit', 'ttstt', 'unhealthy', '0020'],
    ['ignores a kind whose limit is 0', 'ooooo', 'healthy', '0000'],
    ['is not cleared by a kind whose limit is 0', 'hho', 'mostly_healthy', '0200'],
  ]
  for (const [behaviour, reports, status, counts] of rows) {
    it(`${behaviour} (${reports || 'nothing reported'})`, () => {
      const state = after(reports)
      assert.equal(state.status, status)
      assert.equal(Object.values(state.counter).join(''), counts)
    })
  }

  it('is the same object after a report that does not count', () => {
    const unhealthy = after('tt')
    assert.equal(advance(unhealthy, 'http_failure', 3), unhealthy)
    assert.equal(advance(INITIAL_HEALTH, 'success', 1), INITIAL_HEALTH)
    assert.equal(advance(INITIAL_HEALTH, 'tcp_failure', 0), INITIAL_HEALTH)
  })

  it('lets requests through as long as it is at least mostly healthy', () => {
    const statuses: HealthStatus[] = ['healthy', 'mostly_healthy', 'mostly_unhealthy', 'unhealthy']
    assert.deepEqual(statuses.map(isUsable), [true, true, false, false])
  })
})
