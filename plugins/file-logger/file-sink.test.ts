import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { BatchSendError } from '../_shared/batch/send-error.ts'
import { appendLines } from './file-sink.ts'

async function directory(t: Pick<TestContext, 'after'>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'file-sink-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

async function pipe(t: Pick<TestContext, 'after'>): Promise<string> {
  const path = join(await directory(t), 'pipe')
  execFileSync('mkfifo', [path])
  return path
}

describe('appending lines', () => {
  it('keeps what was there, and the lines of several writers whole', async (t) => {
    const path = join(await directory(t), 'a.log')
    const lines = (writer: string) =>
      Array.from({ length: 500 }, (_, i) => `${writer}${i}`.padEnd(100, writer))
    await Promise.all(['a', 'b', 'c'].map((writer) => appendLines(path, lines(writer))))
    const found = (await readFile(path, 'utf8')).trimEnd().split('\n')
    assert.deepEqual(found.sort(), ['a', 'b', 'c'].flatMap(lines).sort())
  })

  it('to a pipe that nobody reads fails at once', async (t) => {
    await assert.rejects(appendLines(await pipe(t), ['x']), /ENXIO/)
  })

  it('to a pipe whose reader is slow waits a while, then tells how many were taken', async (t) => {
    const path = await pipe(t)
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    t.after(() => closeSync(reader))
    const lines = Array.from({ length: 2000 }, (_, i) => `${i}`.padEnd(99, '.'))
    const failure = await appendLines(path, lines).then(
      () => assert.fail('a full pipe took everything'),
      (error) => error,
    )
    assert.ok(failure instanceof BatchSendError)
    const buffer = Buffer.alloc(200_000)
    const taken = readSync(reader, buffer)
    assert.equal(failure.delivered, Math.floor(taken / 100))
    assert.match(failure.message, /EAGAIN/)
  })
})
