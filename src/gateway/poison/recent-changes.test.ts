import assert from 'node:assert/strict'
import { it } from 'node:test'
import { fakeClock } from '../../../test/support/fake-clock.ts'
import { RecentChanges } from './recent-changes.ts'

const item = (key: string, value = '') => ({ key, value, createRevision: 1, modRevision: 1 })

it('remembers the newest change of each key, the newest first, and no more than it may', () => {
  const changes = new RecentChanges(fakeClock())
  for (let i = 0; i < 600; i++) changes.note(item(`/${i}`), undefined)
  changes.note(item('/200', 'again'), item('/200'))
  const kept = changes.newestFirst()
  assert.equal(kept.length, 500)
  assert.equal(kept[0]!.item.value, 'again')
  assert.equal(changes.get('/50'), undefined)
  changes.note(item('/large', 'x'.repeat(8 * 1024 * 1024)), undefined)
  changes.note(item('/small'), undefined)
  assert.deepEqual(
    changes.newestFirst().map(({ item: { key } }) => key),
    ['/small', '/large'],
  )
  changes.note(item('/more', 'x'), undefined)
  assert.equal(changes.get('/large'), undefined)
})
