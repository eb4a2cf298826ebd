import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Drain } from '../lifecycle/drain.ts'
import { createMetricRegistry } from '../observe/metric-registry.ts'
import { registerDrainMetrics } from './drain-metrics.ts'

it('what a stop waits for is shown while it waits, and what it cut is counted once', () => {
  const metrics = createMetricRegistry()
  const drain = new Drain()
  drain.counted('requests', () => 2)
  registerDrainMetrics(metrics, drain)
  assert.match(metrics.expose(), /^gatewright_drain_pending\{component="requests"\} 0$/m)
  assert.match(metrics.expose(), /^gatewright_drain_forced_total\{component="requests"\} 0$/m)
  drain.start('graceful')
  const release = drain.hold('store')
  assert.match(metrics.expose(), /^gatewright_drain_pending\{component="requests"\} 2$/m)
  assert.match(metrics.expose(), /^gatewright_drain_pending\{component="store"\} 1$/m)
  release()
  assert.doesNotMatch(metrics.expose(), /component="store"/)
  drain.force('requests', 2)
  drain.force('plugin slow')
  metrics.expose()
  drain.force('requests')
  assert.match(metrics.expose(), /^gatewright_drain_forced_total\{component="requests"\} 3$/m)
  assert.match(metrics.expose(), /^gatewright_drain_forced_total\{component="plugin slow"\} 1$/m)
})
