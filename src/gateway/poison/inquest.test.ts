import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeClock } from '../../../test/support/fake-clock.ts'
import type { WorkerProcess } from '../../lifecycle/workers/worker-process.ts'
import { createLogger } from '../../observe/logger.ts'
import type { Barred } from '../../snapshot/barred.ts'
import { Graph } from '../../snapshot/graph.ts'
import type { StoredItem } from '../../store/config-store.ts'
import { Inquest } from './inquest.ts'
import { RecentChanges } from './recent-changes.ts'
import type { Word } from './words.ts'

function stage() {
  const clock = fakeClock()
  const changes = new RecentChanges(clock)
  const graph = new Graph()
  const items = new Map<string, StoredItem>()
  const bars: Barred[] = []
  let asked = 0
  const inquest = new Inquest({
    ...{ clock, changes, graph, prefix: '/apisix', logger: createLogger('silent') },
    item: (key) => items.get(key),
    askForWords: () => asked++,
    bar: (barred) => bars.push(barred),
  })
  const write = (path: string, modRevision: number, value: Record<string, unknown> = { uri: '/x' }) => {
    const [kind, id] = path.split('/') as ['routes', string]
    const key = `/apisix/${path}`
    const item = { key, value: JSON.stringify(value), createRevision: 1, modRevision }
    changes.note(item, items.get(key))
    items.set(key, item)
    graph.set({ kind, id, key, value: value as never, createRevision: 1, modRevision })
  }
  /** A worker that says some things and ends. */
  const end = (...words: Word[]) => {
    const worker = { link: { onClose: (tell: () => void) => tell() } } as unknown as WorkerProcess
    for (const word of words) inquest.heard(worker, word)
    inquest.onCrash(worker)
  }
  const barred = () => bars.map(({ item, before }) => [item.key, item.modRevision, before?.modRevision])
  return { clock, inquest, write, end, bars, barred, asked: () => asked }
}

describe('the inquest into workers that ended', () => {
  it('asks for words after one end, and sets aside what the second one was compiling, with the version before', () => {
    const { write, end, inquest, barred, asked } = stage()
    write('routes/1', 1)
    write('routes/1', 2)
    write('routes/2', 3)
    assert.equal(inquest.asksForMs, 0)
    end()
    assert.deepEqual([barred(), asked()], [[], 1])
    assert.ok(inquest.asksForMs > 0)
    end({ compiles: '/apisix/routes/2' }, { compiles: '/apisix/routes/1' })
    assert.deepEqual(barred(), [['/apisix/routes/1', 2, 1]])
    assert.deepEqual(inquest.barred.length, 1)
    write('routes/1', 4)
    assert.deepEqual(inquest.barred, [])
  })

  it('takes ends that are far apart for chance', async () => {
    const { clock, write, end, barred } = stage()
    write('routes/1', 1)
    end({ compiles: '/apisix/routes/1' })
    await clock.advance(61_000)
    end({ compiles: '/apisix/routes/1' })
    assert.deepEqual(barred(), [])
  })

  it('blames the newest fresh change of what the last requests met', () => {
    const { write, end, barred } = stage()
    write('services/s', 1, {})
    write('routes/1', 2, { service_id: 's' })
    write('services/s', 3, {})
    write('services/other', 4, {})
    end()
    end({ compiles: null }, { route: '1' })
    assert.deepEqual(barred(), [['/apisix/services/s', 3, 1]])
  })

  it('never undoes what has served for a while, nor guesses between several changes', async () => {
    const { clock, write, end, barred } = stage()
    write('routes/1', 1)
    await clock.advance(61_000)
    end()
    end({ route: '1' })
    end()
    assert.deepEqual(barred(), [])
    write('routes/2', 2)
    write('routes/3', 3)
    end()
    end()
    assert.deepEqual(barred(), [])
  })

  it('blames the only fresh change when nothing was said', () => {
    const { write, end, barred } = stage()
    write('routes/1', 1)
    end()
    end()
    assert.deepEqual(barred(), [['/apisix/routes/1', 1, undefined]])
  })

  it('does not look for another one when more workers end of the same', () => {
    const { write, end, barred } = stage()
    write('routes/1', 1)
    write('routes/2', 2)
    end()
    end({ route: '2' })
    end({ route: '2' })
    assert.deepEqual(barred(), [['/apisix/routes/2', 2, undefined]])
  })

  it('lets nothing serve in its place when the version before is no better, nor one that was set aside itself', () => {
    const { write, end, bars } = stage()
    write('routes/1', 1)
    write('routes/1', 2)
    const twice = () => {
      end()
      end({ compiles: '/apisix/routes/1' })
    }
    twice()
    write('routes/1', 3)
    twice()
    assert.deepEqual(
      bars.map(({ before }) => before?.modRevision),
      [1, 1],
    )
    twice()
    assert.equal(bars.at(-1)!.before, null)
  })
})
