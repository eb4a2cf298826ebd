import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Retirement } from './retire.ts'

function noted() {
  const disposed: string[] = []
  return { disposed, garbage: (name: string) => () => void disposed.push(name) }
}

describe('Retirement', () => {
  it('disposes at once what no request holds', () => {
    const { disposed, garbage } = noted()
    new Retirement().advance([garbage('a')])
    assert.deepEqual(disposed, ['a'])
  })

  it('keeps what a request in flight may reach until that request ends', () => {
    const { disposed, garbage } = noted()
    const retirement = new Retirement()
    const pin = retirement.pin()
    retirement.advance([garbage('a')])
    retirement.advance([garbage('b')])
    assert.deepEqual(disposed, [])
    pin.release()
    assert.deepEqual(disposed, ['a', 'b'])
    assert.equal(retirement.held, 1)
  })

  it('waits for an older request before it disposes what a newer snapshot replaced', () => {
    const { disposed, garbage } = noted()
    const retirement = new Retirement()
    const old = retirement.pin()
    retirement.advance([garbage('a')])
    const newer = retirement.pin()
    retirement.advance([garbage('b')])
    newer.release()
    assert.deepEqual(disposed, [])
    old.release()
    assert.deepEqual(disposed, ['a', 'b'])
  })

  it('counts a pin once, however often it is released', () => {
    const { disposed, garbage } = noted()
    const retirement = new Retirement()
    const first = retirement.pin()
    const second = retirement.pin()
    retirement.advance([garbage('a')])
    first.release()
    first.release()
    assert.deepEqual(disposed, [])
    second.release()
    assert.deepEqual(disposed, ['a'])
  })

  it('disposes very much in turns, in order, and at once when asked', async () => {
    const { disposed, garbage } = noted()
    const names = (from: number) => Array.from({ length: 500 }, (_, i) => String(from + i))
    const retirement = new Retirement()
    retirement.advance(names(0).map(garbage))
    retirement.advance(names(500).map(garbage))
    assert.ok(disposed.length > 0 && disposed.length < 500, `${disposed.length} at once`)
    await new Promise((resolve) => setImmediate(resolve))
    assert.ok(disposed.length < 1000, `${disposed.length} in the next turn`)
    retirement.flush()
    assert.deepEqual(disposed, [...names(0), ...names(500)])
  })
})
