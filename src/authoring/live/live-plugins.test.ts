import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { eventually } from '../../../test/support/watch-recording.ts'
import { LivePlugins } from './live-plugins.ts'

const LIMIT_MS = 60_000
const SOUND = 'export const answer: number = 42\n'
const PASSING = `
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { answer } from './index.ts'
it('is the answer', () => assert.equal(answer, 42))
`

/** Folders of plugins, and what would swap workers. */
function start(t: TestContext, { budgetMs = LIMIT_MS, isThere = true } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'gatewright-live-'))
  const root = join(directory, 'my-plugins')
  if (isThere) mkdirSync(root)
  const notes: string[] = []
  const swaps: string[] = []
  let failure: Error | undefined
  const live = new LivePlugins({
    paths: [root],
    workingDirectory: directory,
    budgetMs,
    reload: async (gate) => {
      if (failure) throw failure
      await gate()
      swaps.push('swap')
    },
    note: (line) => void notes.push(line),
  })
  live.start()
  t.after(async () => {
    await live.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const write = (path: string, text: string) => {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const ends = async (state: string) => {
    await eventually(`it is ${state}`, () => live.status().state === state, LIMIT_MS)
    return live.status()
  }
  const fails = (error: Error | undefined) => {
    failure = error
  }
  return { root, notes, swaps, live, write, ends, fails }
}

describe('plugins that are edited', () => {
  it('are live once types and tests are fine', async (t) => {
    const { write, ends, swaps, notes } = start(t)
    write('a/index.ts', SOUND)
    write('a/a.test.ts', PASSING)
    const status = await ends('live')
    assert.deepEqual([status.plugins, status.types, status.tests, status.problems], [['a'], 'ok', 'ok', []])
    assert.equal(swaps.length, 1)
    assert.match(notes.join('\n'), /^a is live after \d+ ms \(types ok, tests ok\)$/)
  })

  it('are not live with a wrong type, whose file and line are told', async (t) => {
    const { root, write, ends, swaps, notes } = start(t)
    write('a/index.ts', `\nexport const answer: number = 'x'\n`)
    const { types, problems } = await ends('failed')
    assert.equal(types, 'failed')
    assert.deepEqual(
      problems.map(({ stage, file, line }) => [stage, file, line]),
      [['types', join(root, 'a/index.ts'), 2]],
    )
    assert.match(notes.join('\n'), /^my-plugins\/a\/index\.ts:2: a type is wrong: TS2322/m)
    assert.deepEqual(swaps, [])
    write('a/index.ts', SOUND)
    assert.deepEqual((await ends('live')).problems, [])
  })

  it('are not live when a test of theirs fails, whose file and line are told', async (t) => {
    const { root, write, ends, swaps } = start(t)
    write('a/index.ts', 'export const answer: number = 41\n')
    write('a/a.test.ts', PASSING)
    const { tests, problems } = await ends('failed')
    assert.equal(tests, 'failed')
    assert.deepEqual(
      [problems[0]?.stage, problems[0]?.file, problems[0]?.line],
      ['tests', join(root, 'a/a.test.ts'), 5],
    )
    assert.match(problems[0]!.message, /is the answer[\s\S]*41 !== 42/)
    assert.deepEqual(swaps, [])
  })

  it('are not live when they cannot be loaded, and the place is found in the reason', async (t) => {
    const { root, write, ends, fails } = start(t)
    fails(new Error(`it broke\n    at compile (file://${join(root, 'a/index.ts')}:7:3)`))
    write('a/index.ts', SOUND)
    const { problems } = await ends('failed')
    assert.deepEqual(
      [problems[0]?.stage, problems[0]?.file, problems[0]?.line],
      ['load', join(root, 'a/index.ts'), 7],
    )
  })

  it('do not wait for checks that take long; what those find is told later', async (t) => {
    const { write, ends, live } = start(t, { budgetMs: 1 })
    write('a/index.ts', `export const answer: number = 'x'\n`)
    await ends('live')
    await eventually('it is told', () => live.status().problems.length === 1, LIMIT_MS)
    assert.equal(live.status().state, 'live')
  })

  it('may appear with their folder, and vanish', async (t) => {
    const { root, write, ends, live, swaps } = start(t, { isThere: false })
    write('a/index.ts', SOUND)
    assert.deepEqual((await ends('live')).plugins, ['a'])
    write('b/index.ts', SOUND)
    await eventually('the second is live', () => swaps.length === 2, LIMIT_MS)
    rmSync(join(root, 'a'), { recursive: true })
    await eventually('the first is gone', () => swaps.length === 3, LIMIT_MS)
    assert.deepEqual(live.status().plugins, ['a'])
    assert.ok(!existsSync(join(root, 'a')))
  })

  it('are all concerned when what they share is saved, and none when nothing but a README is', async (t) => {
    const { write, ends, live, swaps } = start(t)
    write('a/index.ts', SOUND)
    write('b/index.ts', SOUND)
    await ends('live')
    await eventually('both are live', () => live.status().state === 'live' && swaps.length > 0, LIMIT_MS)
    const before = swaps.length
    write('a/README.md', 'new')
    write('_shared/x.ts', 'export const x = 1\n')
    await eventually('it is taken up', () => swaps.length > before, LIMIT_MS)
    assert.deepEqual(live.status().plugins, ['a', 'b'])
  })
})
