import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Change, ChangeLog } from './change-log.ts'

const changeAt = (revision: number): Change => ({ revision, type: 'node_status', data: { revision } })

describe('the log of changes', () => {
  it('gives what came after a revision, and says when it does not know that', () => {
    const log = new ChangeLog()
    log.restart(10)
    log.append(11, [changeAt(11)])
    log.append(13, [changeAt(13), changeAt(13)])
    const revisions = (since: number) => log.since(since)?.map(({ revision }) => revision)
    assert.deepEqual([9, 10, 11, 12, 13, 14].map(revisions), [
      undefined,
      [11, 13, 13],
      [13, 13],
      [13, 13],
      [],
      undefined,
    ])
  })

  it('forgets the oldest, whole revisions at a time, and never more than it says', () => {
    const log = new ChangeLog()
    for (let revision = 1; revision <= 30_000; revision++)
      log.append(revision, [changeAt(revision), changeAt(revision)])
    const first = Array.from({ length: 30_000 }, (_, i) => i).find((since) => log.since(since) !== undefined)!
    assert.ok(first <= 25_000 && first >= 19_990, String(first))
    const kept = log.since(first)!
    assert.equal(kept[0]!.revision, first + 1)
    assert.equal(kept.length, 2 * (30_000 - first))
  })

  it('tells listeners of each revision once, and no more after they left', () => {
    const log = new ChangeLog()
    const heard: number[] = []
    const leave = log.subscribe((changes) => void heard.push(changes.length))
    log.append(1, [changeAt(1), changeAt(1)])
    log.append(2, [])
    leave()
    log.append(3, [changeAt(3)])
    assert.deepEqual(heard, [2])
  })
})
