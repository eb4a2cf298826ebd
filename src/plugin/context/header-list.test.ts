import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HeaderList } from './header-list.ts'

describe('HeaderList', () => {
  it('finds a header whatever its case and keeps duplicates in order', () => {
    const headers = new HeaderList(['X-A', '1', 'Other', 'o', 'x-a', '2'])
    assert.equal(headers.get('x-a'), '1')
    assert.deepEqual(headers.all('x-a'), ['1', '2'])
    assert.equal(headers.get('missing'), undefined)
  })

  it('replaces every occurrence and sends the name as written', () => {
    const headers = new HeaderList(['x-a', '1', 'b', '2', 'X-A', '3'])
    headers.set('X-a', ['8', '9'])
    assert.deepEqual(headers.raw(), ['b', '2', 'X-a', '8', 'X-a', '9'])
  })

  it('removes every occurrence', () => {
    const headers = new HeaderList(['x-a', '1', 'b', '2', 'X-A', '3'])
    headers.remove('x-a')
    assert.deepEqual(headers.raw(), ['b', '2'])
  })

  it('refuses a value that would start a new line', () => {
    const headers = new HeaderList(['a', '1'])
    assert.throws(() => headers.set('x', 'v\r\nEvil: 1'), /line break/)
    assert.throws(() => headers.append('x y', 'v'), /not a token/)
    assert.deepEqual(headers.raw(), ['a', '1'])
  })

  it('keeps text beyond latin1 as its UTF-8 bytes, so that no character can be cut down to a line break', () => {
    const headers = new HeaderList()
    headers.set('x', 'a\u010aEvil: 1')
    headers.append('y', '日')
    assert.deepEqual(headers.raw(), ['x', 'a\xc4\x8aEvil: 1', 'y', '\xe6\x97\xa5'])
  })

  it('treats names such as __proto__ as data', () => {
    const headers = new HeaderList(['__proto__', 'p'])
    assert.equal(headers.get('__proto__'), 'p')
    assert.equal(headers.get('constructor'), undefined)
  })
})
