import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MergedExposition } from './merged-exposition.ts'
import { createMetricRegistry } from './metric-registry.ts'

function exposed(requests: number, open: number, seconds: readonly number[]): string {
  const metrics = createMetricRegistry()
  const counter = metrics.counter({ name: 'requests_total', help: 'Requests', labels: ['route'] })
  counter.labels('a "b" {c} \\d').inc(requests)
  metrics.gauge({ name: 'open', help: 'Open', labels: [] }).labels().set(open)
  const histogram = metrics.histogram({ name: 'seconds', help: 'Time', labels: [], buckets: [1, 5] })
  for (const value of seconds) histogram.labels().observe(value)
  return metrics.expose()
}

describe('the metrics of several processes', () => {
  it('are the metrics of one when there is one', () => {
    const merged = new MergedExposition()
    const text = exposed(3, 4, [0.5, 2, 9])
    merged.add(text)
    assert.equal(merged.expose(), text)
  })

  it('are sums, buckets included', () => {
    const merged = new MergedExposition()
    merged.add(exposed(3, 4, [0.5]))
    merged.add(exposed(5, 1, [2, 9]))
    assert.equal(merged.expose(), exposed(8, 5, [0.5, 2, 9]))
  })

  it('of a process that ended keep what it counted, not what it held', () => {
    const merged = new MergedExposition()
    merged.add(exposed(3, 4, [0.5]), true)
    merged.add(exposed(5, 1, []))
    assert.equal(merged.expose(), exposed(8, 1, [0.5]))
  })
})
