import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMetricRegistry } from '../observe/metric-registry.ts'
import { registerRuntimeMetrics } from './runtime-metrics.ts'

function seriesOf(text: string, name: string, labels: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${name}{`) && one.includes(labels))
  assert.ok(line, `${name} ${labels} in ${text}`)
  return Number(line.slice(line.lastIndexOf(' ')))
}

describe('the metrics of a process', () => {
  it('tell how late the event loop was since they were read, and how busy', async (t) => {
    const metrics = createMetricRegistry()
    const runtime = registerRuntimeMetrics(metrics, 'worker')
    t.after(() => runtime.close())
    runtime.setPlace(2)
    metrics.expose()
    // The delay is sampled by a timer: it has to run before and after what blocks it.
    await new Promise((resolve) => setTimeout(resolve, 50))
    const untilMs = performance.now() + 200
    while (performance.now() < untilMs);
    await new Promise((resolve) => setTimeout(resolve, 50))
    const text = metrics.expose()
    const labels = 'process="worker",worker="2"'
    const worst = seriesOf(text, 'gatewright_event_loop_delay_seconds', `${labels},quantile="1"`)
    assert.ok(worst > 0.1 && worst < 5, String(worst))
    assert.ok(seriesOf(text, 'gatewright_event_loop_utilization', labels) > 0.3)
    assert.ok(seriesOf(metrics.expose(), 'gatewright_event_loop_delay_seconds', 'quantile="1"') < worst)
  })

  it('are those of a place, and go when another process has it', (t) => {
    const metrics = createMetricRegistry()
    const runtime = registerRuntimeMetrics(metrics, 'worker')
    t.after(() => runtime.close())
    const places = () => new Set(metrics.expose().match(/worker="\d*"/g))
    assert.equal(places().size, 0)
    runtime.setPlace(1)
    assert.deepEqual(places(), new Set(['worker="1"']))
    runtime.setPlace(2)
    assert.deepEqual(places(), new Set(['worker="2"']))
    runtime.setPlace(undefined)
    assert.equal(places().size, 0)
  })

  it('divide the resident memory among its owners', (t) => {
    const metrics = createMetricRegistry()
    const runtime = registerRuntimeMetrics(metrics, 'main')
    t.after(() => runtime.close())
    const held = Buffer.alloc(50_000_000, 1)
    const text = metrics.expose()
    const of = (owner: string) => seriesOf(text, 'gatewright_memory_bytes', `owner="${owner}"`)
    assert.ok(of('buffers') >= held.length)
    const sum = ['objects', 'free', 'buffers', 'external', 'rest'].reduce((all, owner) => all + of(owner), 0)
    const { rss } = process.memoryUsage()
    assert.ok(Math.abs(sum - rss) < rss / 4, `${sum} beside ${rss}`)
  })

  it('count time on processors, and never less', (t) => {
    const metrics = createMetricRegistry()
    const runtime = registerRuntimeMetrics(metrics, 'main')
    t.after(() => runtime.close())
    const read = () => seriesOf(metrics.expose(), 'gatewright_cpu_seconds_total', 'process="main"')
    const first = read()
    assert.ok(first > 0)
    assert.ok(read() >= first)
  })
})
