import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type FakeClock, fakeClock } from '../../test/support/fake-clock.ts'
import { type Loaded, type Outcome, RefreshedValues } from './refreshed.ts'

interface Heard {
  readonly values: number[]
  readonly problems: string[]
}

function listener(): Heard & { onValue(value: number): void; onProblem(reason: string): void } {
  const heard: Heard = { values: [], problems: [] }
  return {
    ...heard,
    onValue: (value) => heard.values.push(value),
    onProblem: (reason) => heard.problems.push(reason),
  }
}

/** Loads what `answer` says, numbering the calls from 1; a text is a failure. */
function world(answer: (call: number) => Loaded<number> | string): {
  readonly clock: FakeClock
  readonly values: RefreshedValues<number>
  readonly outcomes: Outcome[]
  load(): Promise<Loaded<number>>
  calls: number
} {
  const clock = fakeClock()
  const outcomes: Outcome[] = []
  const onOutcome = (_key: string, outcome: Outcome) => void outcomes.push(outcome)
  const made = {
    clock,
    outcomes,
    values: new RefreshedValues<number>({ clock, random: () => 0.5, onOutcome }),
    calls: 0,
    load: async () => {
      const result = answer(++made.calls)
      if (typeof result === 'string') throw new Error(result)
      return result
    },
  }
  return made
}

describe('refreshed values', () => {
  it('are loaded again before they expire', async () => {
    const { clock, values, load } = world((call) => ({ value: call, ttlMs: 10_000 }))
    const heard = listener()
    values.watch('a', load, heard)
    await clock.advance(8900)
    assert.deepEqual(heard.values, [1])
    await clock.advance(1000)
    assert.deepEqual(heard.values, [1, 2])
  })

  it('are believed for a second at least and an hour at most', async () => {
    for (const [ttlMs, heldMs] of [
      [0, 1000],
      [1e9, 3_600_000],
    ] as const) {
      const made = world((call) => ({ value: call, ttlMs }))
      made.values.watch('a', made.load, listener())
      await made.clock.advance(heldMs * 0.8)
      assert.equal(made.calls, 1)
      await made.clock.advance(heldMs * 0.2)
      assert.equal(made.calls, 2)
    }
  })

  it('stay what they were when a load fails, and are tried again, later each time, up to half a minute', async () => {
    const made = world((call) => (call === 1 || call > 8 ? { value: call, ttlMs: 1000 } : `failure ${call}`))
    const heard = listener()
    made.values.watch('a', made.load, heard)
    const waits: number[] = []
    let last = 0
    for (let second = 0; second < 150; second++) {
      await made.clock.advance(1000)
      if (made.calls > last && made.calls <= 8) waits.push(made.clock.nowMs())
      last = made.calls
    }
    assert.equal(heard.values[0], 1)
    assert.equal(heard.problems.length, 7)
    assert.ok(heard.values.length > 1, 'it recovers')
    const gaps = waits.slice(1).map((at, index) => at - waits[index]!)
    assert.ok(gaps.at(-1)! > 20_000 && gaps.at(-1)! <= 30_000, `${gaps}`)
    assert.deepEqual(
      made.outcomes.filter(({ isNews }) => isNews).map(({ problem }) => problem),
      ['failure 2', undefined],
    )
  })

  it('are loaded once for all who watch, and a newcomer hears the last one at once', async () => {
    const made = world((call) => ({ value: call, ttlMs: 10_000 }))
    const [one, other, late] = [listener(), listener(), listener()]
    made.values.watch('a', made.load, one)
    made.values.watch('a', made.load, other)
    await made.clock.advance(1)
    made.values.watch('a', made.load, late)
    assert.equal(made.calls, 1)
    assert.deepEqual([one.values, other.values, late.values], [[1], [1], [1]])
  })

  it('are given up with the last who watches, and leave no timer', async () => {
    const made = world((call) => ({ value: call, ttlMs: 1000 }))
    const heard = listener()
    const watches = [made.values.watch('a', made.load, heard), made.values.watch('a', made.load, listener())]
    await made.clock.advance(1)
    watches[0]!.close()
    watches[0]!.close()
    assert.equal(made.values.size, 1)
    watches[1]!.close()
    assert.equal(made.values.size, 0)
    assert.equal(made.clock.pending, 0)
    await made.clock.advance(5000)
    assert.equal(made.calls, 1)
  })

  it('that arrive after the last one has left are nobody’s', async () => {
    const made = world((call) => ({ value: call, ttlMs: 1000 }))
    const heard = listener()
    made.values.watch('a', made.load, heard).close()
    await made.clock.advance(5000)
    assert.deepEqual(heard.values, [])
    assert.equal(made.clock.pending, 0)
  })

  it('that need not be asked for are told before the watch returns', () => {
    const { values } = world(() => 'unused')
    const heard = listener()
    values.watch('a', () => ({ value: 7, ttlMs: 1000 }), heard)
    assert.deepEqual(heard.values, [7])
  })
})
