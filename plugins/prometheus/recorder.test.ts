import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createMetricRegistry } from '../../src/observe/metric-registry.ts'
import type { RequestContext, RouteView } from '../../src/plugin/api.ts'
import { declareFamilies } from './families.ts'
import { Recorder } from './recorder.ts'

const ROUTE: RouteView = {
  id: 'p1',
  name: undefined,
  serviceId: undefined,
  serviceName: undefined,
  uri: '/*',
  host: undefined,
}
const MB = 2 ** 20

/** A recorder with one label from clients, and what the registry shows of it. */
function stage(labelled: readonly string[]) {
  const metrics = createMetricRegistry()
  const extra_labels = [{ user: '$arg_user' }]
  const attr = {
    metric_prefix: '',
    default_buckets: [1, 10, 100],
    max_series: 500,
    max_label_values: 100,
    metrics: Object.fromEntries(labelled.map((metric) => [metric, { extra_labels }])),
  }
  const metadata = {}
  const recorder = new Recorder({
    families: declareFamilies({ metrics, attr }),
    prefersName: false,
    metadata: () => metadata,
  })
  const samples = () =>
    metrics
      .expose()
      .split('\n')
      .filter((line) => line.startsWith('http_status{'))
  return { metrics, recorder, samples }
}

function ended(user: string, consumer?: string): RequestContext {
  return {
    route: ROUTE,
    consumer: consumer === undefined ? undefined : { name: consumer },
    node: { host: '10.0.0.1', port: 80 },
    hasResponse: true,
    response: { status: 200, source: 'upstream' },
    stats: { totalMs: 3, upstreamMs: 2, upstreamStartedAt: 1, bytesReceived: 10, bytesSent: 20 },
    var: () => user,
  } as unknown as RequestContext
}

/** Heap in MB that `act` leaves behind. */
function grownMb(act: () => void): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const before = process.memoryUsage().heapUsed
  act()
  collect()
  return (process.memoryUsage().heapUsed - before) / MB
}

const total = (lines: readonly string[]) =>
  lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)

describe('the recorder of prometheus', () => {
  for (const labelled of [['http_status'], ['http_status', 'http_latency', 'bandwidth']]) {
    it(`keeps its size under 100,000 values from clients in ${labelled.join(', ')}`, () => {
      const { metrics, recorder, samples } = stage(labelled)
      for (let i = 0; i < 1000; i++) recorder.record(ended(`warm-${i}`))
      const grown = grownMb(() => {
        for (let i = 0; i < 100_000; i++) recorder.record(ended(`${i}-${'y'.repeat(1000)}`))
      })
      assert.ok(grown < 2, `grew by ${grown} MB`)
      const lines = samples()
      assert.equal(lines.length, 101)
      assert.equal(total(lines), 101_000)
      assert.ok(lines.some((line) => line.includes('route="p1"') && line.includes('user="overflow"')))
      assert.ok(metrics.expose().length < 400_000)
    })
  }

  it('keeps its size under 100,000 consumers, which are configured', () => {
    const { recorder, samples } = stage([])
    for (let i = 0; i < 100_000; i++) recorder.record(ended('', `consumer-${i}`))
    assert.equal(samples().length, 101)
    assert.equal(total(samples()), 100_000)
  })
})
