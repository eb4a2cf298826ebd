import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dropNominated, replaceHost, screenHeaders } from './dropped-headers.ts'

function screened(names: readonly string[], isTrusted: boolean): string[] {
  const raw = names.flatMap((name) => [name, name])
  screenHeaders(raw, isTrusted)
  return raw.filter((_, index) => index % 2 === 0)
}

describe('the screen at the front door', () => {
  it('counts the lines called Host', () => {
    assert.equal(screenHeaders(['Host', 'a', 'x', '', 'HOST', 'b', 'hose', 'c'], false), 2)
  })

  it('leaves alone what only looks similar', () => {
    const names = [
      'X-Forwarded',
      'X-Forwarded-For',
      'X-Real-IP',
      'X-Consume',
      'x_y',
      'F',
      'X',
      'Content-Length',
      'X-Credential',
    ]
    assert.deepEqual(screened(names, false), names)
  })

  it('keeps the value beside its name when something before is dropped', () => {
    const raw = ['A', '1', 'Forwarded', '2', 'B', '3', 'X-Consumer-Username', '4', 'C', '5']
    screenHeaders(raw, false)
    assert.deepEqual(raw, ['A', '1', 'B', '3', 'C', '5'])
  })

  it('lets a trusted peer speak, but no alias of what it may say', () => {
    assert.deepEqual(
      screened(['Forwarded', 'X-Forwarded-Proto', 'X-Consumer-Username', 'x_consumer_username'], true),
      ['Forwarded', 'X-Forwarded-Proto', 'X-Consumer-Username'],
    )
  })
})

describe('what Connection nominates', () => {
  it('is dropped in any case and place', () => {
    const raw = ['A', '1', 'b', '2', 'Connection', 'x', 'C', '3']
    dropNominated(raw, 'B ,\tc, close')
    assert.deepEqual(raw, ['A', '1', 'Connection', 'x'])
  })
})

describe('the Host of an absolute target', () => {
  it('replaces the one that was sent', () => {
    const raw = ['a', 'b', 'hOst', 'x']
    replaceHost(raw, 'y:80')
    assert.deepEqual(raw, ['a', 'b', 'hOst', 'y:80'])
  })
})
