import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseResolvConf, searchNames } from './resolv-conf.ts'

describe('resolv.conf', () => {
  it('says servers, search list and ndots; the last list wins, the rest is passed over', () => {
    const text = `
# made by hand
domain old.test
nameserver 10.0.0.53
nameserver ::1 ; the local one
nameserver nowhere
search ns.svc. svc
options edns0 ndots:5 timeout:1
sortlist 10.0.0.0
`
    assert.deepEqual(parseResolvConf(text), {
      servers: ['10.0.0.53', '::1'],
      search: ['ns.svc', 'svc'],
      ndots: 5,
    })
    assert.deepEqual(parseResolvConf(''), { servers: [], search: [], ndots: 1 })
  })

  it('has no more than six suffixes', () => {
    assert.equal(parseResolvConf('search a b c d e f g').search.length, 6)
  })

  it('tries a name with enough dots as it is first, any other one last', () => {
    const search = { search: ['x', 'y'], ndots: 1 }
    assert.deepEqual(searchNames('a', search), ['a.x', 'a.y', 'a'])
    assert.deepEqual(searchNames('a.b', search), ['a.b', 'a.b.x', 'a.b.y'])
    assert.deepEqual(searchNames('a.', search), ['a'])
  })
})
