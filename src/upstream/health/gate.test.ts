import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Gate, passThrough } from './gate.ts'

describe('a gate', () => {
  it('lets its number in at once, the others in their order as places get free', () => {
    const gate = new Gate(2)
    const order: number[] = []
    const leave = [1, 2, 3, 4].map((number) => passThrough([gate], () => order.push(number)))
    assert.deepEqual(order, [1, 2])
    leave[1]!()
    leave[0]!()
    assert.deepEqual(order, [1, 2, 3, 4])
  })

  it('frees one place however often one leaves', () => {
    const gate = new Gate(1)
    const order: number[] = []
    const leave = [1, 2, 3].map((number) => passThrough([gate], () => order.push(number)))
    leave[0]!()
    leave[0]!()
    assert.deepEqual(order, [1, 2])
  })

  it('forgets who gives up waiting', () => {
    const gate = new Gate(1)
    const order: number[] = []
    const leave = [1, 2, 3].map((number) => passThrough([gate], () => order.push(number)))
    leave[1]!()
    leave[0]!()
    assert.deepEqual(order, [1, 3])
  })

  it('in front of another gives its place back when the second is not reached', () => {
    const [inner, outer] = [new Gate(1), new Gate(1)]
    const order: string[] = []
    const leaveOuter = passThrough([outer], () => order.push('elsewhere'))
    const giveUp = passThrough([inner, outer], () => order.push('first'))
    giveUp()
    const leave = passThrough([inner, outer], () => order.push('second'))
    assert.deepEqual(order, ['elsewhere'])
    leaveOuter()
    assert.deepEqual(order, ['elsewhere', 'second'])
    leave()
    passThrough([inner, outer], () => order.push('third'))
    assert.deepEqual(order.at(-1), 'third')
  })
})
