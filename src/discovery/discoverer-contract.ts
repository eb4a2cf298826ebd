import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { FakeClock } from '../../test/support/fake-clock.ts'
import type { Discoverer, Watch } from './discoverer.ts'

/** A discoverer over a source that the test speaks for. Services are `a`, `b` and so on; nodes are told by their hosts. */
export interface DiscovererBench {
  readonly discoverer: Pick<Discoverer, 'watch'>
  readonly clock: FakeClock
  /** Three hosts that the source can know, in alphabetical order. */
  readonly hosts: readonly [string, string, string]
  /** After this long what was told has been asked for again. */
  readonly freshMs: number
  /** The source knows these hosts of a service from now on; at least one. */
  set(serviceName: string, hosts: readonly string[]): void
  /** The source has nothing of that service any more. */
  remove(serviceName: string): void
  /** The source does not answer, or with an error, until it is told otherwise by {@link set}. */
  fail(serviceName: string): void
  /** Questions about a service wait from now on until the result is called. Absent where the source is not waited for. */
  hold?(): () => void
  /** Times that the source was asked for a service. */
  asked(serviceName: string): number
  /** Services that something is kept of. */
  kept(): number
}

type MakeBench = (t: TestContext) => DiscovererBench | Promise<DiscovererBench>
type Case = (bench: DiscovererBench, t: TestContext) => Promise<void> | void

/** What every discoverer owes, whatever it asks; called once per implementation. */
export function discovererContract(name: string, make: MakeBench): void {
  describe(`${name}, as every discoverer`, () => {
    for (const [sentence, run] of Object.entries({ ...TELLING, ...FAILING, ...SHARING, ...ENDING })) {
      it(sentence, async (t) => run(await make(t), t))
    }
  })
}

interface Heard extends Watch {
  /** Sets of hosts, sorted, in the order they were told. */
  readonly sets: readonly (readonly string[])[]
  readonly problems: readonly string[]
}

function listen({ discoverer }: DiscovererBench, serviceName: string): Heard {
  const sets: string[][] = []
  const problems: string[] = []
  const watch = discoverer.watch(
    { serviceName, args: {} },
    {
      onNodes: (nodes) => void sets.push(nodes.map(({ host }) => host).sort()),
      onProblem: (reason) => void problems.push(reason),
    },
  )
  return { sets, problems, close: () => watch.close() }
}

const HOUR_MS = 3_600_000

const TELLING: Record<string, Case> = {
  'tells all nodes of a service, after one question': async (bench) => {
    const [one, two, three] = bench.hosts
    bench.set('a', [one, two])
    bench.set('b', [three])
    const heard = listen(bench, 'a')
    await bench.clock.advance(1)
    assert.deepEqual([heard.sets, heard.problems], [[[one, two]], []])
    assert.deepEqual([bench.asked('a'), bench.asked('b')], [1, 0])
  },

  'asks again in the background, and tells the full set each time something came or went': async (bench) => {
    const [one, two, three] = bench.hosts
    bench.set('a', [one])
    const heard = listen(bench, 'a')
    await bench.clock.advance(1)
    for (const hosts of [[one, two], [two], [three]]) {
      bench.set('a', hosts)
      await bench.clock.advance(bench.freshMs)
      assert.deepEqual(heard.sets.at(-1), hosts)
    }
    assert.deepEqual(heard.problems, [])
  },

  'tells of a service that is gone that it has no nodes, or that it cannot be found': async (bench) => {
    const [one] = bench.hosts
    bench.set('a', [one])
    const heard = listen(bench, 'a')
    await bench.clock.advance(1)
    bench.remove('a')
    await bench.clock.advance(bench.freshMs)
    const { length } = heard.sets
    const isEmpty = heard.sets.at(-1)?.length === 0
    assert.ok(isEmpty !== heard.problems.length > 0, 'one of both')
    assert.ok(isEmpty || length === 1, 'nothing else is made of it')
  },
}

const FAILING: Record<string, Case> = {
  'says why while the source fails, takes nothing back, and is well again by itself': async (bench) => {
    const [one, two] = bench.hosts
    bench.set('a', [one])
    const heard = listen(bench, 'a')
    await bench.clock.advance(1)
    bench.fail('a')
    await bench.clock.advance(bench.freshMs + 60_000)
    assert.deepEqual(new Set(heard.sets.map(String)), new Set([one]))
    assert.ok(heard.problems.length > 0 && heard.problems[0] !== '')
    bench.set('a', [two])
    await bench.clock.advance(Math.max(bench.freshMs, 30_000))
    assert.deepEqual(heard.sets.at(-1), [two])
  },

  'tells a newcomer what was good last, also while the source fails': async (bench) => {
    const [one] = bench.hosts
    bench.set('a', [one])
    listen(bench, 'a')
    await bench.clock.advance(1)
    bench.fail('a')
    await bench.clock.advance(bench.freshMs)
    assert.deepEqual(listen(bench, 'a').sets, [[one]])
  },

  'goes on asking for a service that never was there, without haste, and finds it when it comes': async (
    bench,
  ) => {
    const [one] = bench.hosts
    for (const spoil of ['fail', 'remove'] as const) {
      bench[spoil]('a')
      const heard = listen(bench, 'a')
      await bench.clock.advance(1)
      assert.equal(heard.sets.flat().length, 0)
      const before = bench.asked('a')
      await bench.clock.advance(HOUR_MS)
      const asked = bench.asked('a') - before
      assert.ok(asked >= 10 && asked <= HOUR_MS / 5000, `asked ${asked} times in an hour`)
      bench.set('a', [one])
      await bench.clock.advance(Math.max(bench.freshMs, 30_000))
      assert.deepEqual(heard.sets.at(-1), [one])
      heard.close()
    }
  },

  'does not let one service that fails hold up another': async (bench) => {
    const [one] = bench.hosts
    bench.fail('a')
    bench.set('b', [one])
    listen(bench, 'a')
    const heard = listen(bench, 'b')
    await bench.clock.advance(1)
    assert.deepEqual(heard.sets, [[one]])
  },
}

const SHARING: Record<string, Case> = {
  'asks once for all who watch, and tells each of them': async (bench) => {
    const [one] = bench.hosts
    bench.set('a', [one])
    const all = [listen(bench, 'a'), listen(bench, 'a')]
    await bench.clock.advance(1)
    all.push(listen(bench, 'a'))
    assert.equal(bench.asked('a'), 1)
    assert.deepEqual(
      all.map(({ sets }) => sets),
      [[[one]], [[one]], [[one]]],
    )
  },

  'goes on for those who stay when one closes, however often it does': async (bench) => {
    const [one, two] = bench.hosts
    bench.set('a', [one])
    const [leaving, staying] = [listen(bench, 'a'), listen(bench, 'a')]
    await bench.clock.advance(1)
    leaving.close()
    leaving.close()
    bench.set('a', [two])
    await bench.clock.advance(bench.freshMs)
    assert.deepEqual(staying.sets.at(-1), [two])
    assert.equal(leaving.sets.length, 1)
  },

  'has no two questions about a service under way, whoever comes and goes meanwhile': async (bench, t) => {
    const [one] = bench.hosts
    if (!bench.hold) return t.skip('its source is not waited for')
    bench.set('a', [one])
    const release = bench.hold()
    for (let round = 0; round < 5; round++) listen(bench, 'a').close()
    const heard = listen(bench, 'a')
    await bench.clock.advance(1)
    assert.equal(bench.asked('a'), 1)
    release()
    await bench.clock.advance(1)
    assert.deepEqual([heard.sets, bench.asked('a')], [[[one]], 1])
  },

  'does not ask again before it was answered': async (bench, t) => {
    const [one] = bench.hosts
    if (!bench.hold) return t.skip('its source is not waited for')
    bench.set('a', [one])
    listen(bench, 'a')
    await bench.clock.advance(1)
    const release = bench.hold()
    await bench.clock.advance(10 * bench.freshMs)
    assert.equal(bench.asked('a'), 2)
    release()
    await bench.clock.advance(2 * bench.freshMs)
    assert.ok(bench.asked('a') >= 3)
  },
}

const ENDING: Record<string, Case> = {
  'asks nothing and has no timer once nobody watches': async (bench) => {
    const [one] = bench.hosts
    bench.set('a', [one])
    bench.fail('b')
    const watches = [listen(bench, 'a'), listen(bench, 'a'), listen(bench, 'b')]
    await bench.clock.advance(bench.freshMs)
    for (const watch of watches) watch.close()
    assert.deepEqual([bench.clock.pending, bench.kept()], [0, 0])
    const before = bench.asked('a') + bench.asked('b')
    await bench.clock.advance(HOUR_MS)
    assert.equal(bench.asked('a') + bench.asked('b'), before)
  },

  'tells nothing to a watch that was closed before the answer': async (bench, t) => {
    if (!bench.hold) return t.skip('its source is not waited for')
    const [one] = bench.hosts
    bench.set('a', [one])
    const release = bench.hold()
    const heard = listen(bench, 'a')
    await bench.clock.advance(1)
    heard.close()
    release()
    await bench.clock.advance(1)
    assert.deepEqual([heard.sets, heard.problems], [[], []])
    assert.deepEqual([bench.clock.pending, bench.kept()], [0, 0])
  },

  'keeps nothing of services that come and go': async (bench) => {
    const [one] = bench.hosts
    for (let index = 0; index < 300; index++) {
      bench.set(`s${index}`, [one])
      const heard = listen(bench, `s${index}`)
      if (index % 2 === 0) await bench.clock.advance(1)
      heard.close()
    }
    await bench.clock.advance(1)
    assert.deepEqual([bench.clock.pending, bench.kept()], [0, 0])
  },
}
