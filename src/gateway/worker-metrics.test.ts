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
    return { text: metrics.expose(), owners: metrics.owners, expiries: metrics.expiries }
  }
  const made = fakePool(1, () => ({ metrics: expose }), { onGone: (worker) => metrics.onGone(worker) })
  const metrics: WorkerMetrics = new WorkerMetrics({
    own: createMetricRegistry(),
    pool: made.pool,
    known: () => isKnown,
  })
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

const EXPIRE_MS = 60_000
const ROUTES = ['r1', 'r2'] as const

/** A pool of workers that count requests of routes for metrics that expire, on a clock that stands still. */
async function expiring(size: number) {
  let nowMs = 0
  const now = () => nowMs
  const counted: ((route: (typeof ROUTES)[number]) => void)[] = []
  const serve = (number: number) => {
    const metrics = createMetricRegistry({ now })
    const options = { help: 'h', labels: ['route'], expireMs: EXPIRE_MS }
    const requests = metrics.counter({ name: 'requests_total', ...options })
    const times = metrics.histogram({ name: 'seconds', buckets: [1], ...options })
    const kept = metrics.counter({ name: 'kept_total', help: 'h', labels: [] })
    counted[number - 1] = (route) => {
      requests.labels(route).inc()
      times.labels(route).observe(2)
      kept.labels().inc()
    }
    return (): Exposed => ({ text: metrics.expose(), owners: metrics.owners, expiries: metrics.expiries })
  }
  const made = fakePool(size, (number) => ({ metrics: serve(number) }), {
    onGone: (worker) => metrics.onGone(worker),
  })
  const own = createMetricRegistry()
  const metrics: WorkerMetrics = new WorkerMetrics({ own, pool: made.pool, known: () => () => true, now })
  await made.pool.start(NEVER)
  await made.settle()
  const series = async () =>
    (await metrics.expose())
      .split('\n')
      .filter((line) => /^(requests|seconds_count|seconds_bucket|kept)/.test(line))
  const end = async (number: number) => {
    made.processes[number - 1]!.end('SIGSEGV')
    await made.settle()
  }
  return { series, end, count: counted, pass: (ms: number) => (nowMs += ms) }
}

const shown = (route: string, count: number) => [
  `requests_total{route="${route}"} ${count}`,
  `seconds_bucket{route="${route}",le="1"} 0`,
  `seconds_bucket{route="${route}",le="+Inf"} ${count}`,
  `seconds_count{route="${route}"} ${count}`,
]

describe('the series that expire, of workers that have ended', () => {
  it('go when they have not changed for their time, and no others', async () => {
    const { series, end, count, pass } = await expiring(1)
    count[0]!('r1')
    await series()
    await end(1)
    pass(EXPIRE_MS - 1)
    assert.deepEqual((await series()).sort(), ['kept_total 1', ...shown('r1', 1)].sort())
    pass(1)
    assert.deepEqual(await series(), ['kept_total 1'])
    pass(EXPIRE_MS)
    assert.deepEqual(await series(), ['kept_total 1'])
  })

  it('stay as long as a worker that lives shows the same ones, and go with them', async () => {
    const { series, end, count, pass } = await expiring(2)
    count[0]!('r1')
    count[0]!('r2')
    count[1]!('r1')
    await series()
    await end(1)
    pass(EXPIRE_MS - 1)
    count[1]!('r1')
    await series()
    pass(EXPIRE_MS - 1)
    assert.deepEqual((await series()).sort(), ['kept_total 4', ...shown('r1', 3)].sort())
    pass(1)
    assert.deepEqual(await series(), ['kept_total 4'])
  })

  it('begin their time anew when another worker ends that had counted them', async () => {
    const { series, end, count, pass } = await expiring(2)
    count[0]!('r1')
    await series()
    await end(1)
    pass(EXPIRE_MS - 1)
    count[1]!('r1')
    await series()
    await end(2)
    pass(EXPIRE_MS - 1)
    assert.deepEqual((await series()).sort(), ['kept_total 2', ...shown('r1', 2)].sort())
    pass(1)
    assert.deepEqual(await series(), ['kept_total 2'])
    count[2]!('r1')
    assert.deepEqual((await series()).sort(), ['kept_total 3', ...shown('r1', 1)].sort())
  })
})
