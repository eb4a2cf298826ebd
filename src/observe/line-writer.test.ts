import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { LineWriter } from './line-writer.ts'

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatewright-lines-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function observed(t: TestContext, target: string) {
  const seen = { failures: [] as Error[], recoveries: 0, dropped: 0 }
  const writer = new LineWriter(target, {
    maxChunk: 4096,
    onFailure: (error) => void seen.failures.push(error),
    onRecovery: () => {
      seen.recoveries += 1
    },
    onDropped: (lines) => {
      seen.dropped += lines
    },
  })
  t.after(() => writer.close())
  return { writer, seen }
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('it did not come to that within 30 s')
    await pause(20)
  }
}

const read = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '')

describe('a writer of lines', () => {
  it('begins a new file when that was moved away, and loses no line', async (t) => {
    const path = join(folderFor(t), 'deep', 'access.log')
    const { writer, seen } = observed(t, path)
    let written = 0
    const writeUntil = (holds: () => boolean) =>
      until(() => {
        writer.write(`${written++}\n`)
        return holds()
      })
    await writeUntil(() => read(path) !== '')
    renameSync(path, `${path}.1`)
    await writeUntil(() => read(path) !== '')
    await writer.close()
    const lines = `${read(`${path}.1`)}${read(path)}`.trimEnd().split('\n')
    assert.deepEqual(lines.map(Number), [...Array(written).keys()])
    assert.deepEqual(seen, { failures: [], recoveries: 0, dropped: 0 })
  })

  it('keeps lines while its path cannot be used, tells of it once, and writes them afterwards', async (t) => {
    const path = join(folderFor(t), 'access.log')
    mkdirSync(path)
    const { writer, seen } = observed(t, path)
    await until(() => seen.failures.length > 0)
    for (let i = 0; i < 5000; i++) writer.write(`${i}\n`)
    rmSync(path, { recursive: true })
    await until(() => seen.recoveries > 0)
    assert.deepEqual(read(path).trimEnd().split('\n').map(Number), [...Array(5000).keys()])
    assert.equal(seen.failures.length, 1)
    assert.equal(seen.dropped, 0)
  })

  it('holds no more than it may, and counts what it cannot hold', async (t) => {
    const { writer, seen } = observed(t, '/dev/full')
    const line = `${'x'.repeat(1023)}\n`
    for (let i = 0; i < 10_000; i++) writer.write(line)
    assert.ok(seen.dropped >= 10_000 - 8192, `${seen.dropped} were dropped`)
    await writer.close()
    assert.equal(seen.dropped, 10_000)
    assert.equal(seen.failures.length, 1)
  })

  it('holds on to nothing of its process while no line waits', async (t) => {
    const listeners = () => process.listenerCount('exit')
    const before = listeners()
    const path = join(folderFor(t), 'access.log')
    const { writer } = observed(t, path)
    assert.equal(listeners(), before)
    writer.write('one\n')
    assert.equal(listeners(), before + 1)
    await until(() => listeners() === before)
    assert.equal(read(path), 'one\n')
  })

  it('does not keep its process from ending when nothing can be written', { timeout: 60_000 }, async () => {
    const { code } = await processThat("new LineWriter('/dev/full', options).write('one\\n')", 1500)
    assert.equal(code, 3)
  })

  it('has written everything when its process ends by itself', { timeout: 60_000 }, async () => {
    const writing = `for (const isEager of [true, false]) {
      const writer = new LineWriter('stdout', { ...options, isEager })
      for (let i = 0; i < 3000; i++) writer.write(i + '\\n')
    }`
    const { code, output } = await processThat(writing, 0)
    assert.equal(code, 3)
    assert.deepEqual(
      output.trimEnd().split('\n').map(Number).sort(byNumber),
      [...Array(6000).keys()].map((i) => i >> 1),
    )
  })
})

const byNumber = (one: number, other: number): number => one - other

/** Ends with 3 after `delayMs`. */
async function processThat(does: string, delayMs: number): Promise<{ code: number | null; output: string }> {
  const program = `
    import { LineWriter } from ${JSON.stringify(new URL('./line-writer.ts', import.meta.url).href)}
    const options = { maxChunk: 4096, onFailure() {}, onRecovery() {}, onDropped() {} }
    ${does}
    setTimeout(() => process.exit(3), ${delayMs})
  `
  const args = ['--import', 'tsx', '--input-type=module', '-e', program]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}
