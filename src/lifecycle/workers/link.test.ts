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

  /** A pipe whose other end does not read until it is told to. */
  function clogged() {
    const sent: (readonly unknown[])[] = []
    const waiting: (() => void)[] = []
    let overruns = 0
    const link = new Link(
      {
        send: (message, done) => {
          sent.push(message as readonly unknown[])
          waiting.push(() => done(null))
        },
        onMessage: () => undefined,
        onClose: () => undefined,
      },
      { onOverrun: () => overruns++ },
    )
    const turn = () => new Promise((resolve) => setImmediate(resolve))
    const read = async () => {
      for (let done = waiting.shift(); done; done = waiting.shift()) {
        done()
        await turn()
      }
    }
    return { link, sent, turn, read, overruns: () => overruns }
  }

  it('keeps only the latest of what counts as it is now, while the other side does not read', async () => {
    const { link, sent, turn, read } = clogged()
    link.tell('first')
    await turn()
    for (let i = 0; i < 100_000; i++) {
      link.tellLatest('state', i)
      link.tellLatest('node', i, String(i % 3))
    }
    await read()
    assert.deepEqual(sent.slice(1), [
      [
        ['state', 0, 99_999],
        ['node', 0, 99_999],
        ['node', 0, 99_997],
        ['node', 0, 99_998],
      ],
    ])
    link.tellLatest('state', 'new')
    await turn()
    assert.deepEqual(sent.at(-1), [['state', 0, 'new']])
  })

  it('keeps so much and no more for a side that does not read, and says so once', async () => {
    const { link, sent, turn, read, overruns } = clogged()
    link.tell('first')
    await turn()
    for (let i = 0; i < 50_000; i++) link.tell('news', i)
    link.tellLatest('state', 1)
    for (let i = 0; i < 5000; i++) link.tellAtOnce('word', i)
    assert.equal(overruns(), 1)
    assert.equal(sent.length, 1001)
    await read()
    assert.equal(sent.flat().filter((frame) => (frame as unknown[])[0] === 'news').length, 20_000)
  })
})
