import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AdmissionLimit, type LoopSample, TICK_MS } from './admission-limit.ts'

interface Tick {
  readonly lateMs: number
  readonly begun?: number
  readonly busyMs?: number
  readonly cpuMs?: number
}

/** An event loop that is told how it fares, instead of measuring it. */
class Loop {
  readonly limit: AdmissionLimit
  #nowMs = 0
  #busyMs = 0
  #cpuMs = 0
  #begun = 0
  #endTurn: (() => void) | undefined

  constructor(overloadDelayMs = 200) {
    this.limit = new AdmissionLimit({
      overloadDelayMs,
      nowMs: () => this.#nowMs,
      measure: () => this.#sample(),
      afterTurn: (run) => {
        this.#endTurn = run
      },
    })
    this.tick({ lateMs: 0 })
  }

  #sample(): LoopSample {
    return { nowMs: this.#nowMs, busyMs: this.#busyMs, cpuMs: this.#cpuMs, begun: this.#begun }
  }

  /** One tick with so many requests, which took `busyMs` in all; by default the loop never rests. */
  tick({ lateMs, begun = 0, busyMs = TICK_MS + lateMs, cpuMs = busyMs }: Tick): void {
    this.#nowMs += TICK_MS + lateMs
    this.#busyMs += busyMs
    this.#cpuMs += cpuMs
    this.#begun += begun
    this.limit.tick()
  }

  /** Offers requests in one turn, each refusal of which takes `refusalMs`; returns how many were let in. */
  turn(offered: number, refusalMs = 0.01): number {
    let admitted = 0
    for (let i = 0; i < offered; i++) {
      if (this.limit.admits()) admitted++
      else this.#nowMs += refusalMs
    }
    this.#endTurn?.()
    return admitted
  }

  pass(ms: number): void {
    this.#nowMs += ms
  }

  /** Three late ticks with requests of `costMs` each. */
  overload(costMs: number): void {
    for (let i = 0; i < 3; i++) this.tick({ lateMs: 450, begun: 500 / costMs })
  }
}

describe('the admission limit', () => {
  it('lets everybody in while the event loop is in time', () => {
    const loop = new Loop()
    for (let i = 0; i < 100; i++) loop.tick({ lateMs: 199, begun: 1000 })
    assert.equal(loop.limit.isLimiting, false)
    assert.equal(loop.limit.perTurn, Number.POSITIVE_INFINITY)
  })

  it('is not impressed by one hold of the loop and what piled up meanwhile', () => {
    const loop = new Loop()
    for (let i = 0; i < 10; i++) {
      loop.tick({ lateMs: 3000 })
      loop.tick({ lateMs: 400, begun: 500 })
      loop.tick({ lateMs: 0, begun: 5, busyMs: 30 })
      loop.tick({ lateMs: 3000 })
      loop.tick({ lateMs: 400, begun: 500 })
      for (let inTime = 0; inTime < 5; inTime++) loop.tick({ lateMs: 0, begun: 50 })
    }
    assert.equal(loop.limit.isLimiting, false)
  })

  it('sees a queue that stands in long turns and short ones by turns', () => {
    const loop = new Loop()
    for (let i = 0; i < 2; i++) {
      loop.tick({ lateMs: 450, begun: 250 })
      loop.tick({ lateMs: 30, begun: 35 })
    }
    assert.equal(loop.limit.isLimiting, false)
    loop.tick({ lateMs: 450, begun: 250 })
    assert.equal(loop.limit.isLimiting, true)
  })

  it('limits once the loop is late all the time, to what can be worked off in 3 ms', () => {
    const loop = new Loop()
    loop.overload(0.5)
    assert.equal(loop.limit.isLimiting, true)
    assert.equal(loop.limit.perTurn, 6)
    assert.equal(loop.turn(100), 6)
    assert.equal(loop.turn(100), 6)
  })

  it('does not wait for the end of a turn that takes everything in', () => {
    const loop = new Loop()
    // Before the first request: a hold, and no work for requests.
    loop.pass(5000)
    for (let i = 0; i < 32; i++) assert.equal(loop.limit.admits(), true)
    loop.pass(600)
    for (let i = 0; i < 32; i++) assert.equal(loop.limit.admits(), true)
    assert.equal(loop.limit.isLimiting, false)
    loop.pass(1)
    for (let i = 0; i < 32; i++) loop.limit.admits()
    assert.equal(loop.limit.isLimiting, true)
  })

  it('counts processor time, and not that which others have', () => {
    const loop = new Loop()
    for (let i = 0; i < 3; i++) loop.tick({ lateMs: 450, begun: 500, cpuMs: 100 })
    assert.equal(loop.limit.perTurn, 15)
  })

  it('never limits when it is told to wait for ever', () => {
    const loop = new Loop(Number.POSITIVE_INFINITY)
    for (let i = 0; i < 20; i++) loop.tick({ lateMs: 5000, begun: 1 })
    assert.equal(loop.limit.isLimiting, false)
  })

  it('lets one request in each turn, however long it takes', () => {
    const loop = new Loop()
    loop.overload(50)
    assert.equal(loop.turn(10), 1)
    assert.equal(loop.turn(10), 1)
  })

  it('makes up for parts of requests over several turns', () => {
    const loop = new Loop()
    loop.overload(1.2)
    const admitted = [1, 2, 3, 4].map(() => loop.turn(10))
    assert.deepEqual(admitted, [2, 3, 2, 3])
  })

  it('follows what requests cost', () => {
    const loop = new Loop()
    loop.overload(1)
    for (let i = 0; i < 20; i++) {
      loop.turn(100)
      loop.tick({ lateMs: 0, begun: 25 })
    }
    assert.ok(Math.abs(loop.limit.perTurn - 1.5) < 0.1, `${loop.limit.perTurn} a turn at 2 ms each`)
    for (let i = 0; i < 20; i++) {
      loop.turn(100)
      loop.tick({ lateMs: 0, begun: 500 })
    }
    assert.ok(Math.abs(loop.limit.perTurn - 30) < 1, `${loop.limit.perTurn} a turn at 0.1 ms each`)
  })

  it('does not take what else the process does for the cost of few requests', () => {
    const loop = new Loop()
    loop.overload(0.5)
    for (let i = 0; i < 20; i++) {
      loop.turn(100)
      loop.tick({ lateMs: 0, begun: 1 })
    }
    assert.ok(loop.limit.perTurn > 1.9, `${loop.limit.perTurn} a turn`)
  })

  it('does not count time in which the loop waits for slow nodes', () => {
    const loop = new Loop()
    loop.overload(0.5)
    for (let i = 0; i < 20; i++) loop.tick({ lateMs: 0, begun: 10, busyMs: 45 })
    const busy = loop.limit.perTurn
    const other = new Loop()
    other.overload(0.5)
    for (let i = 0; i < 20; i++) other.tick({ lateMs: 0, begun: 1, busyMs: 4.5 })
    assert.equal(other.limit.perTurn, busy)
  })

  it('does not spend more time on refusing than on serving, however many clients ask', () => {
    const loop = new Loop()
    loop.overload(0.1)
    // A turn of 2,000 refusals at 0.02 ms is 40 ms, whatever is let in.
    for (let window = 0; window < 40; window++) {
      const admitted = loop.turn(2000, 0.02)
      loop.tick({ lateMs: 0, begun: admitted, busyMs: 40 + admitted * 0.1 })
      loop.tick({ lateMs: 0, busyMs: 0 })
    }
    assert.ok(loop.limit.perTurn > 200, `${loop.limit.perTurn} a turn`)
  })

  it('ends a second after the loop has room again', () => {
    const loop = new Loop()
    loop.overload(0.5)
    for (let i = 0; i < 18; i++) {
      loop.turn(100)
      loop.tick({ lateMs: 0, begun: 10 })
    }
    assert.equal(loop.limit.isLimiting, true)
    for (let i = 0; i < 24; i++) {
      // A burst now and then, in a loop that idles half of the time.
      if (i % 5 === 0) loop.turn(20)
      loop.tick({ lateMs: 0, begun: 20, busyMs: 25 })
    }
    assert.equal(loop.limit.isLimiting, false)
    assert.equal(loop.limit.perTurn, Number.POSITIVE_INFINITY)
  })
})
