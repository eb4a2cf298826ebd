import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { History } from './history.ts'

function written(): History {
  const history = new History()
  history.wrote('a', '1', 2)
  history.wrote('b', '1', 3)
  history.wrote('a', '2', 4)
  history.wrote('b', undefined, 5)
  return history
}

describe('the check that a view is a prefix of history', () => {
  it('takes every state in its order, and states left out', () => {
    const observer = written().observer()
    observer.saw('b', undefined)
    observer.saw('a', '1')
    observer.saw('b', '1')
    observer.saw('a', '2')
    observer.saw('b', undefined)
    written().observer().saw('a', '2')
  })

  it('refuses a step back', () => {
    const observer = written().observer()
    observer.saw('a', '2')
    assert.throws(() => observer.saw('a', '1'), /a showed 1/)
  })

  it('refuses a state that mixes what was never there together', () => {
    const observer = written().observer()
    observer.saw('b', '1')
    observer.saw('a', '2')
    observer.saw('b', undefined)
    assert.throws(() => observer.saw('a', '1'))
    assert.throws(() => written().observer().saw('a', '9'))
  })
})
