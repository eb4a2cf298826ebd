import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { type MountOptions, mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import { eventually } from '../../test/support/log-sinks.ts'
import fileLogger from './index.ts'

async function directory(t: Pick<TestContext, 'after'>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'file-logger-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

function mount(config: Record<string, unknown>, options: MountOptions = {}) {
  return mountPlugin(fileLogger, { log_format: { path: '$uri' }, ...config }, options)
}

/** Waits until the file has so many lines and gives the paths in them. */
async function pathsIn(file: string, count: number): Promise<string[]> {
  const lines = await eventually(`${count} lines`, () => {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    const found = text.split('\n').filter((line) => line !== '')
    return text.endsWith('\n') && found.length >= count && found
  })
  return lines.map((line) => JSON.parse(line).path)
}

describe('file-logger', () => {
  it('appends a line for each request, in order', async (t) => {
    const path = join(await directory(t), 'a.log')
    const mounted = mount({ path })
    for (const target of ['/1', '/2', '/3']) await mounted.request({ target })
    assert.deepEqual(await pathsIn(path, 3), ['/1', '/2', '/3'])
    assert.match(readFileSync(path, 'utf8'), /\n$/)
  })

  it('begins the file anew when it was moved away or removed', async (t) => {
    const folder = await directory(t)
    const path = join(folder, 'a.log')
    const mounted = mount({ path })
    await mounted.request({ target: '/1' })
    await pathsIn(path, 1)
    await rename(path, join(folder, 'a.log.1'))
    await mounted.request({ target: '/2' })
    assert.deepEqual(await pathsIn(path, 1), ['/2'])
    await rm(path)
    await mounted.request({ target: '/3' })
    assert.deepEqual(await pathsIn(path, 1), ['/3'])
    assert.deepEqual(await pathsIn(join(folder, 'a.log.1'), 1), ['/1'])
  })

  it('takes the path of the metadata when it has none, also when that changes', async (t) => {
    const folder = await directory(t)
    const mounted = mount({}, { metadata: { path: join(folder, 'a.log') } })
    await mounted.request({ target: '/1' })
    assert.deepEqual(await pathsIn(join(folder, 'a.log'), 1), ['/1'])
    mounted.setMetadata({ path: join(folder, 'b.log') })
    await mounted.request({ target: '/2' })
    assert.deepEqual(await pathsIn(join(folder, 'b.log'), 1), ['/2'])
  })

  it('counts entries that have no path to go to, and lets the requests through', async () => {
    const mounted = mount({})
    assert.equal((await mounted.request()).status, 200)
    await mounted.dispose()
    assert.match(mounted.metrics.expose(), /dropped_entries_total\{name="file-logger",reason="failed"\} 1/)
  })

  it('counts entries of a file that cannot be written, and goes on once it can', async (t) => {
    const folder = await directory(t)
    const path = join(folder, 'missing', 'a.log')
    const mounted = mount({ path })
    await mounted.request({ target: '/1' })
    await eventually('a failure', () =>
      /failed_sends_total\{name="file-logger"\} 1/.test(mounted.metrics.expose()),
    )
    await (await import('node:fs/promises')).mkdir(join(folder, 'missing'))
    await mounted.request({ target: '/2' })
    assert.deepEqual(await pathsIn(path, 1), ['/2'])
  })

  it('logs only requests for which one of the expressions holds', async (t) => {
    const path = join(await directory(t), 'a.log')
    const match = [[['arg_name', '==', 'jack']], ['status', '==', 500]]
    const mounted = mount({ path, match })
    await mounted.request({ target: '/1' })
    await mounted.request({ target: '/2?name=jack' })
    await mounted.request({ target: '/3', upstream: { status: 500 } })
    await mounted.dispose()
    assert.deepEqual(await pathsIn(path, 2), ['/2', '/3'])
  })

  it('writes what waits when it is disposed', async (t) => {
    const path = join(await directory(t), 'a.log')
    const mounted = mount({ path })
    for (let i = 0; i < 2500; i++) await mounted.request({ target: `/${i}` })
    await mounted.dispose()
    assert.equal((await pathsIn(path, 2500)).length, 2500)
  })

  it('checks its configuration', () => {
    assert.equal(refusal(fileLogger, { path: 'a.log' }), undefined)
    assert.match(
      refusal(fileLogger, { path: 'a.log', match: [[['a', '<>', 'b']]] }) ?? '',
      /^failed to validate the 'match' expression: invalid operator '<>'/,
    )
    assert.match(refusal(fileLogger, { path: 'a', match: Array(21).fill([]) }) ?? '', /at most 20 items/)
  })
})
