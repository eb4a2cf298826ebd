import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakePool } from '../../test/support/fake-pool.ts'
import type { Exposed } from '../observe/merged-exposition.ts'
import { createMetricRegistry } from '../observe/metric-registry.ts'
import type { IsKnown } from '../observe/metrics.ts'
import { WorkerMetrics } from './worker-metrics.ts'

const NEVER = new AbortController().signal

/** A pool of one worker, each process of which has served each of these routes once. */
async function stage(routes: readonly string[]) {
  const gone = new Set<string>()
  const isKnown: IsKnown = (owner, value) => owner !== 'routes' || !gone.has(value)
  const expose = (): Exposed => {
    const metrics = createMetricRegistry()
    const owned = { labels: ['status', 'route'], owners: { route: 'routes' } }
    const requests = metrics.counter({ name: 'requests_total', help: 'h', ...owned })
    const times = metrics.histogram({ name: 'seconds', help: 'h', buckets: [1], ...owned })
    const others = metrics.counter({ name: 'others_total', help: 'h', labels: ['route'] })
    for (const route of routes) {
      requests.labels('200', route).inc()
      times.labels('200', route).observe(2)
      others.labels(route).inc()
    }
    metrics.prune(isKnown)
    return { text: metrics.expose(), owners: metrics.owners }
  }
  const made = fakePool(1, () => ({ metrics: expose }), { onGone: (worker) => metrics.onGone(worker) })
  const metrics: WorkerMetrics = new WorkerMetrics(createMetricRegistry(), made.pool, () => isKnown)
  await made.pool.start(NEVER)
  await made.settle()
  const series = async () => (await metrics.expose()).split('\n').filter((line) => /^[a-z]/.test(line))
  return { ...made, series, gone }
}

describe('the metrics of workers that have ended', () => {
  it('lose the series of a route when it is removed, and no others', async () => {
    const quoted = 'a "b", route=\\c'
    const { processes, settle, series, gone } = await stage(['r1', quoted, 'r2', '', 'overflow'])
    await series()
    processes[0]!.end('SIGSEGV')
    await settle()
    assert.ok((await series()).includes('requests_total{status="200",route="r1"} 2'))
    gone.add('r1')
    gone.add(quoted)
    const left = await series()
    assert.deepEqual(
      left.filter((line) => !line.startsWith('others') && /r1|b/.test(line.replaceAll('bucket', ''))),
      [],
    )
    for (const line of [
      'requests_total{status="200",route="r2"} 2',
      'requests_total{status="200",route=""} 2',
      'requests_total{status="200",route="overflow"} 2',
      'seconds_count{status="200",route="r2"} 2',
      'seconds_bucket{status="200",route="r2",le="+Inf"} 2',
      // Says of its label nothing that could be removed.
      'others_total{route="r1"} 2',
    ])
      assert.ok(left.includes(line), `${line} in\n${left.join('\n')}`)
  })

  it('begin anew with a route that comes back', async () => {
    const { processes, settle, series, gone } = await stage(['r1'])
    await series()
    processes[0]!.end('SIGSEGV')
    await settle()
    gone.add('r1')
    await series()
    gone.clear()
    assert.ok((await series()).includes('requests_total{status="200",route="r1"} 1'))
  })
})
