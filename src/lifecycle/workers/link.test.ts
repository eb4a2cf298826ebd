import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { channelPair as pipe } from '../../../test/support/channel-pair.ts'
import { Link } from './link.ts'

describe('a link between processes', () => {
  it('answers, at once or later, and says why it cannot', async () => {
    const [near, far] = pipe()
    const [asking, answering] = [new Link(near), new Link(far)]
    answering.on('double', (value: number) => value * 2)
    answering.on('later', async (value: string) => `${value}!`)
    answering.on('fail', () => {
      throw Object.assign(new Error('port is taken'), { code: 'EADDRINUSE', port: 80 })
    })
    assert.deepEqual(await Promise.all([asking.ask('double', 4), asking.ask('later', 'a')]), [8, 'a!'])
    await assert.rejects(asking.ask('fail'), { message: 'port is taken', code: 'EADDRINUSE', port: 80 })
    await assert.rejects(asking.ask('unknown'), /nobody answers "unknown"/)
    assert.equal(asking.outstanding, 0)
  })

  it('sends what is asked in one turn as one message', async () => {
    const [near, far] = pipe()
    const [asking, answering] = [new Link(near), new Link(far)]
    answering.on('add', (value: number) => value + 1)
    const answers = await Promise.all([1, 2, 3].map((value) => asking.ask('add', value)))
    assert.deepEqual(answers, [2, 3, 4])
    assert.deepEqual([near.sent.length, far.sent.length], [1, 1])
  })

  it('fails everything outstanding at once when the other side is gone', async () => {
    const [near] = pipe()
    const link = new Link(near)
    const asked = assert.rejects(link.ask('anything'), /gone/)
    let isTold = false
    link.onClose(() => {
      isTold = true
    })
    near.close()
    await asked
    assert.equal(isTold, true)
    await assert.rejects(link.ask('more'), /gone/)
    link.tell('nobody')
  })

  it('refuses more questions than it may keep', async () => {
    const [near] = pipe()
    const link = new Link(near)
    const asked = Array.from({ length: 10_000 }, () => link.ask('slow').catch(() => 'failed'))
    await assert.rejects(link.ask('one more'), /10000 questions/)
    near.close()
    assert.deepEqual(new Set(await Promise.all(asked)), new Set(['failed']))
  })
})
