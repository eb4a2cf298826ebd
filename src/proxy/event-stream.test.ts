import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { describe, it } from 'node:test'
import { Response } from '../plugin/context/context.ts'
import { HeaderList } from '../plugin/context/header-list.ts'
import { EventStream, isEventStream } from './event-stream.ts'

function stream() {
  const ended: string[] = []
  const response = { headersSent: true, end: (text: string) => void ended.push(text) }
  const events = new EventStream(response as unknown as ServerResponse)
  return { ended, events, take: (text: string) => events.take(Buffer.from(text)) }
}

describe('a stream of events that has to end', () => {
  for (const text of [
    '',
    'data: 1\n\n',
    'data: 1\r\n\r\n',
    'data: 1\r\r',
    ':beat\n',
    'data: 1\n\n: beat\n',
    '\n',
  ]) {
    it(`ends at once after ${JSON.stringify(text)}`, () => {
      const { ended, events, take } = stream()
      take(text)
      events.goAway()
      assert.deepEqual([ended, events.isOver], [[': the gateway stops\n\n'], true])
    })
  }

  for (const text of ['data: 1', 'data: 1\n', 'data: 1\n: beat\n', ': be', 'id: 7\r\n', 'data: 1\n\ndata']) {
    it(`waits after ${JSON.stringify(text)}`, () => {
      const { ended, events, take } = stream()
      take(text)
      events.goAway()
      assert.deepEqual([ended, events.isOver], [[], false])
    })
  }

  it('ends once, with the event that is under way', () => {
    const { ended, events, take } = stream()
    take('data: on')
    events.goAway()
    take('e\n')
    assert.equal(events.isOver, false)
    take('\n')
    take('data: two\n\n')
    events.goAway()
    assert.equal(ended.length, 1)
  })
})

describe('isEventStream', () => {
  const answer = (...headers: string[]) => new Response(200, new HeaderList(headers), 'upstream')

  it('is true of events only, in the clear and without a length', () => {
    assert.ok(isEventStream(answer('Content-Type', 'text/event-stream; charset=utf-8')))
    assert.ok(!isEventStream(answer('Content-Type', 'text/plain')))
    assert.ok(!isEventStream(answer('Content-Type', 'text/event-stream', 'Content-Encoding', 'gzip')))
    assert.ok(!isEventStream(answer('Content-Type', 'text/event-stream', 'Content-Length', '9')))
    assert.ok(
      !isEventStream(new Response(204, new HeaderList(['Content-Type', 'text/event-stream']), 'upstream')),
    )
  })
})
