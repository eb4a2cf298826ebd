import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createMetricRegistry } from '../observe/metric-registry.ts'
import { registerDrainMetrics } from './drain-metrics.ts'

it('what a stop waits for is shown while it waits, and what it cut is counted', () => {
  const metrics = createMetricRegistry()
  const drain = registerDrainMetrics(metrics, { requests: () => 2, tunnels: () => 1, connections: () => 5 })
  assert.match(metrics.expose(), /^gatewright_drain_pending\{component="requests"\} 0$/m)
  assert.match(metrics.expose(), /^gatewright_drain_forced_total 0$/m)
  drain.begin()
  assert.match(metrics.expose(), /^gatewright_drain_pending\{component="requests"\} 2$/m)
  assert.match(metrics.expose(), /^gatewright_drain_pending\{component="connections"\} 5$/m)
  drain.end(3)
  assert.match(metrics.expose(), /^gatewright_drain_forced_total 3$/m)
})
