import assert from 'node:assert/strict'
import { it } from 'node:test'
import { WrongKeyThrottle } from './throttle.ts'

it('a throttle remembers a bounded number of addresses and forgets the oldest first', () => {
  const throttle = new WrongKeyThrottle({ now: () => 0 })
  const exhaust = (address: string) => {
    for (let count = 0; count < 20; count++) throttle.countWrongKey(address)
  }
  exhaust('first')
  exhaust('second')
  for (let other = 0; other < 9_999; other++) throttle.countWrongKey(`other ${other}`)
  assert.ok(throttle.countWrongKey('second') > 0)
  assert.equal(throttle.countWrongKey('first'), 0)
})

it('a clock that is set back does not make anyone wait longer than a window', () => {
  const time = { now: 1_000_000 }
  const throttle = new WrongKeyThrottle({ now: () => time.now })
  for (let count = 0; count < 25; count++) throttle.countWrongKey('a')
  time.now = 0
  assert.equal(throttle.countWrongKey('a'), 0)
})
