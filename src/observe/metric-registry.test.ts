import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMetricRegistry } from './metric-registry.ts'

describe('the metric registry', () => {
  it('exposes counters and gauges in text format 0.0.4', () => {
    const metrics = createMetricRegistry()
    const hits = metrics.counter({ name: 'hits_total', help: 'Hits.', labels: ['route', 'code'] })
    hits.labels('r1', '200').inc()
    hits.labels('r1', '200').inc(2)
    metrics.gauge({ name: 'up', help: 'Is it up?', labels: [] }).labels().set(1.5)
    assert.equal(
      metrics.expose(),
      '# HELP hits_total Hits.\n# TYPE hits_total counter\nhits_total{route="r1",code="200"} 3\n' +
        '# HELP up Is it up?\n# TYPE up gauge\nup 1.5\n',
    )
  })

  it('escapes backslash, quote and newline in label values, backslash and newline in help', () => {
    const metrics = createMetricRegistry()
    metrics.counter({ name: 'a', help: 'one\\two\n"three"', labels: ['l'] }).labels('x\\y"z\n')
    assert.equal(
      metrics.expose(),
      '# HELP a one\\\\two\\n"three"\n# TYPE a counter\na{l="x\\\\y\\"z\\n"} 0\n',
    )
  })

  it('shows histogram buckets cumulatively, bounds inclusive, with sum and count', () => {
    const metrics = createMetricRegistry()
    const latency = metrics
      .histogram({ name: 'ms', help: 'h', labels: ['type'], buckets: [1, 10] })
      .labels('all')
    for (const value of [0.5, 1, 5, 10.5]) latency.observe(value)
    assert.deepEqual(metrics.expose().split('\n').slice(2, 7), [
      'ms_bucket{type="all",le="1"} 2',
      'ms_bucket{type="all",le="10"} 3',
      'ms_bucket{type="all",le="+Inf"} 4',
      'ms_sum{type="all"} 17',
      'ms_count{type="all"} 4',
    ])
  })

  it('spells infinities and NaN as Prometheus reads them', () => {
    const metrics = createMetricRegistry()
    const gauge = metrics.gauge({ name: 'g', help: 'h', labels: ['n'] })
    gauge.labels('a').set(Number.POSITIVE_INFINITY)
    gauge.labels('b').set(Number.NEGATIVE_INFINITY)
    gauge.labels('c').set(Number.NaN)
    assert.deepEqual(metrics.expose().split('\n').slice(2, 5), [
      'g{n="a"} +Inf',
      'g{n="b"} -Inf',
      'g{n="c"} NaN',
    ])
  })

  it('puts families and series in one order, whatever the order they were made in', () => {
    const make = (names: string[], values: string[]) => {
      const metrics = createMetricRegistry()
      for (const name of names) {
        for (const value of values)
          metrics
            .counter({ name, help: 'h', labels: ['l'] })
            .labels(value)
            .inc()
      }
      return metrics.expose()
    }
    assert.equal(make(['b', 'a'], ['2', '1', '10']), make(['a', 'b'], ['10', '2', '1']))
  })

  it('gathers what exceeds maxSeries in one series called overflow', () => {
    const metrics = createMetricRegistry()
    const family = metrics.counter({ name: 'c', help: 'h', labels: ['ip', 'code'], maxSeries: 2 })
    for (let i = 0; i < 1000; i++) family.labels(`10.0.0.${i}`, '200').inc()
    family.labels('10.0.0.0', '200').inc()
    assert.deepEqual(metrics.expose().split('\n').slice(2, 5), [
      'c{ip="10.0.0.0",code="200"} 2',
      'c{ip="10.0.0.1",code="200"} 1',
      'c{ip="overflow",code="overflow"} 998',
    ])
  })

  it('removes series, makes room for new ones, and leaves old handles usable', () => {
    const metrics = createMetricRegistry()
    const family = metrics.counter({ name: 'c', help: 'h', labels: ['route'], maxSeries: 1 })
    const gone = family.labels('r1')
    family.remove(([route]) => route === 'r1')
    gone.inc()
    family.labels('r2').inc()
    assert.equal(metrics.expose().split('\n')[2], 'c{route="r2"} 1')
  })

  it('never takes two lists of label values for one', () => {
    const metrics = createMetricRegistry()
    const family = metrics.counter({ name: 'c', help: 'h', labels: ['a', 'b'] })
    assert.notEqual(family.labels('x', '1:y'), family.labels('x1:', 'y'))
    assert.notEqual(family.labels('', 'ab'), family.labels('ab', ''))
    assert.equal(family.labels('x', 'y'), family.labels('x', 'y'))
  })

  it('gives the same family for the same declaration and refuses another one of that name', () => {
    const metrics = createMetricRegistry()
    const options = { name: 'c', help: 'h', labels: ['a'] }
    assert.equal(metrics.counter(options), metrics.counter({ ...options }))
    assert.throws(() => metrics.gauge(options), /metric "c" is already a counter\{a\}/)
    assert.throws(() => metrics.counter({ ...options, labels: ['b'] }), /it cannot be a counter\{b\} too/)
  })

  it('refuses a wrong number of label values and bad names, saying which', () => {
    const metrics = createMetricRegistry()
    const family = metrics.counter({ name: 'c', help: 'h', labels: ['a'] })
    assert.throws(() => family.labels(), /metric "c" takes 1 label values \(a\), got 0/)
    assert.throws(() => metrics.counter({ name: 'c-d', help: 'h', labels: [] }), /metric name "c-d"/)
    assert.throws(() => metrics.counter({ name: 'd', help: 'h', labels: ['a-b'] }), /label "a-b"/)
    assert.throws(
      () => metrics.histogram({ name: 'h', help: 'h', labels: [], buckets: [2, 1] }),
      /buckets must be finite and rising, got \[2,1\]/,
    )
  })

  it('runs the updaters before each exposition; a throwing one hinders no other', () => {
    const errors: unknown[] = []
    const metrics = createMetricRegistry({ onUpdateError: (error) => errors.push(error) })
    const gauge = metrics.gauge({ name: 'g', help: 'h', labels: [] }).labels()
    let source = 1
    metrics.beforeCollect(() => {
      throw new Error('source is away')
    })
    metrics.beforeCollect(() => gauge.set(source))
    assert.match(metrics.expose(), /^g 1$/m)
    source = 2
    assert.match(metrics.expose(), /^g 2$/m)
    assert.equal(errors.length, 2)
  })

  it('gives a label that has too many values up to overflow, and leaves the other labels as they are', () => {
    const metrics = createMetricRegistry()
    const family = metrics.counter({ name: 'c', help: 'h', labels: ['route', 'user'], maxLabelValues: 2 })
    for (let i = 0; i < 100; i++) family.labels(`r${i % 2}`, `u${i}`).inc()
    assert.deepEqual(metrics.expose().split('\n').slice(2, 6), [
      'c{route="r0",user="overflow"} 49',
      'c{route="r0",user="u0"} 1',
      'c{route="r1",user="overflow"} 49',
      'c{route="r1",user="u1"} 1',
    ])
    assert.equal(family.overflows, 98)
  })

  it('gives the room of a removed value to the next one', () => {
    const metrics = createMetricRegistry()
    const family = metrics.counter({ name: 'c', help: 'h', labels: ['user'], maxLabelValues: 1 })
    family.labels('a').inc()
    family.remove(([user]) => user === 'a')
    family.labels('b').inc()
    assert.equal(metrics.expose().split('\n')[2], 'c{user="b"} 1')
  })

  it('removes the series of what is gone, and tells those who kept handles', () => {
    const metrics = createMetricRegistry()
    const labels = ['route', 'node', 'code']
    const owners = { route: 'routes', node: 'nodes' }
    const family = metrics.counter({ name: 'c', help: 'h', labels, owners, maxLabelValues: 3 })
    const all = [
      ['r1', 'n1', 'r2'],
      ['r1', 'n2', ''],
      ['r2', 'n1', ''],
      ['', '', ''],
      ['overflow', 'n1', ''],
    ]
    for (const values of all) family.labels(...values).inc()
    const { epoch } = family
    metrics.prune(() => true)
    assert.equal(family.epoch, epoch)
    metrics.prune((owner, value) => (owner === 'routes' ? value !== 'r2' : value !== 'n2'))
    assert.notEqual(family.epoch, epoch)
    assert.deepEqual(metrics.expose().split('\n').slice(2, -1), [
      'c{route="",node="",code=""} 1',
      'c{route="overflow",node="n1",code=""} 1',
      'c{route="r1",node="n1",code="r2"} 1',
    ])
    assert.throws(
      () => metrics.counter({ name: 'd', help: 'h', labels: ['a'], owners: { b: 'routes' } }),
      /metric "d" has no label "b"/,
    )
  })

  it('removes series that have not changed for expireMs, seen from one exposition to the next', () => {
    let nowMs = 0
    const metrics = createMetricRegistry({ now: () => nowMs })
    const counts = metrics.counter({ name: 'c', help: 'h', labels: ['l'], expireMs: 1000 })
    const times = metrics.histogram({ name: 'h', help: 'h', labels: ['l'], buckets: [1], expireMs: 1000 })
    const keeps = metrics.counter({ name: 'k', help: 'h', labels: ['l'] })
    for (const family of [counts, keeps]) for (const name of ['busy', 'idle']) family.labels(name).inc()
    for (const name of ['busy', 'idle']) times.labels(name).observe(1)
    const shown = () => [...metrics.expose().matchAll(/^(\w+)\{l="(\w+)"\}/gm)].map((m) => `${m[1]} ${m[2]}`)
    assert.ok(shown().includes('c idle'))
    nowMs = 900
    counts.labels('busy').inc()
    times.labels('busy').observe(1)
    assert.ok(shown().includes('c idle'))
    nowMs = 1100
    assert.deepEqual(shown(), ['c busy', 'h_sum busy', 'h_count busy', 'k busy', 'k idle'])
    nowMs = 5000
    assert.deepEqual(shown(), ['k busy', 'k idle'])
  })

  it('hands out the same text in pieces, and lets others run between them', async () => {
    const metrics = createMetricRegistry()
    const buckets = Array.from({ length: 20 }, (_, i) => i + 1)
    const family = metrics.histogram({ name: 'ms', help: 'h', labels: ['l'], buckets })
    for (let i = 0; i < 5000; i++) family.labels(`value-${i}`).observe(i % 20)
    let turns = 0
    let isOver = false
    const turn = () => {
      turns += 1
      if (!isOver) setImmediate(turn)
    }
    setImmediate(turn)
    const pieces: string[] = []
    for await (const piece of metrics.exposeInSlices()) pieces.push(piece)
    isOver = true
    assert.equal(pieces.join(''), metrics.expose())
    assert.ok(pieces.length > 10)
    assert.ok(turns > 0)
  })

  it('keeps its size under 100,000 distinct values', () => {
    const metrics = createMetricRegistry()
    const options = { help: 'h', labels: ['route', 'user'], maxSeries: 1000, maxLabelValues: 500 }
    const counts = metrics.counter({ ...options, name: 'c' })
    const times = metrics.histogram({ ...options, name: 'h', buckets: [1, 2] })
    for (let i = 0; i < 100_000; i++) {
      counts.labels(`r${i % 7}`, `user-${i}`).inc()
      times.labels(`r${i % 7}`, `user-${i}`).observe(1)
    }
    const samples = [...metrics.expose().matchAll(/^c\{.*\} (\d+)$/gm)]
    assert.equal(samples.length, 507)
    assert.equal(
      samples.reduce((sum, [, value]) => sum + Number(value), 0),
      100_000,
    )
    assert.equal([...metrics.expose().matchAll(/^h_count/gm)].length, 507)
  })
})
