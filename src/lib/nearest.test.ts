import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { editDistance, nearest } from './nearest.ts'

describe('nearest', () => {
  it('counts an insert, a delete, a replacement and a swap as one edit each', () => {
    assert.equal(editDistance('port', 'ports'), 1)
    assert.equal(editDistance('port', 'prt'), 1)
    assert.equal(editDistance('port', 'sort'), 1)
    assert.equal(editDistance('port', 'prot'), 1)
    assert.equal(editDistance('', 'abc'), 3)
    assert.equal(editDistance('same', 'same'), 0)
  })

  it('finds the key that was meant in spite of a typing error', () => {
    assert.equal(nearest('node_listne', ['enable_admin', 'node_listen']), 'node_listen')
    assert.equal(nearest('Start', ['stop', 'start']), 'start')
  })

  it('stays silent when nothing is close', () => {
    assert.equal(nearest('kubernetes', ['ip', 'port']), undefined)
    assert.equal(nearest('x', []), undefined)
  })
})
