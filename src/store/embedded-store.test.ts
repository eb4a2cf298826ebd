import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it, type TestContext } from 'node:test'
import { fakeClock } from '../../test/support/fake-clock.ts'
import { eventually, record } from '../../test/support/watch-recording.ts'
import { createLogger } from '../observe/logger.ts'
import { StoreUnavailableError } from './config-store.ts'
import { EmbeddedStore } from './embedded-store.ts'
import { storeContract } from './store-contract.ts'
import { transactionContract } from './transaction-contract.ts'

const logger = createLogger('silent')

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'gatewright-store-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'store')
}

function openIn(t: TestContext, directory: string): EmbeddedStore {
  const store = new EmbeddedStore(directory, { logger })
  t.after(() => store.close())
  return store
}

interface Writer {
  readonly child: ChildProcess
  /** Acknowledged numbers and the revision of each. */
  readonly acknowledged: Map<number, number>
  /** What the process said about its first failed write. */
  failure(): string | undefined
  kill9(): Promise<void>
}

/** Runs the writing process and reads what it says was acknowledged. */
function startWriter(directory: string, first: number, maxFileBlocks = 'unlimited'): Writer {
  const script = join(import.meta.dirname, '../../test/support/embedded-writer.ts')
  const command = `ulimit -f ${maxFileBlocks} && exec "$@"`
  const writer = [process.execPath, '--import', 'tsx', script, directory, String(first)]
  // What the engine itself prints about a failed commit is not looked at.
  const child = spawn('sh', ['-c', command, 'sh', ...writer], { stdio: ['ignore', 'pipe', 'ignore'] })
  let failure: string | undefined
  const acknowledged = new Map<number, number>()
  createInterface(child.stdout).on('line', (line) => {
    if (line.startsWith('failed')) {
      failure = line
      return
    }
    const [number = Number.NaN, revision = Number.NaN] = line.split(' ').map(Number)
    acknowledged.set(number, revision)
  })
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return {
    child,
    acknowledged,
    failure: () => failure,
    kill9: async () => {
      child.kill('SIGKILL')
      await closed
    },
  }
}

storeContract('embedded', async (t) => openIn(t, temporaryDirectory(t)))
transactionContract('embedded', async (t) => openIn(t, temporaryDirectory(t)))

describe('EmbeddedStore', () => {
  it('has every acknowledged write after the writer was killed at any instant, again and again', async (t) => {
    const directory = temporaryDirectory(t)
    let first = 0
    for (let round = 0; round < 4; round++) {
      const writer = startWriter(directory, first)
      await eventually('writes', () => writer.acknowledged.size > 100 + round * 37)
      await writer.kill9()
      const store = new EmbeddedStore(directory, { logger })
      const { items, revision } = await store.list('/n/')
      const found = new Map(items.map((item) => [item.key, item]))
      for (const [number, modRevision] of writer.acknowledged) {
        const item = found.get(`/n/${number}`)
        assert.equal(item?.modRevision, modRevision)
        assert.equal(item?.value, `${number} ${'x'.repeat(number % 3000)}`)
        assert.ok(revision >= modRevision)
      }
      for (const item of items) assert.ok(item.modRevision <= revision)
      assert.equal(new Set(items.map((item) => item.modRevision)).size, items.length)
      assert.equal(revision, items.length + 1)
      first = Math.max(...items.map((item) => Number(item.key.slice(3)))) + 1
      await store.close()
    }
  })

  it('answers a write to a full disk with an error and keeps what it had acknowledged', async (t) => {
    const directory = temporaryDirectory(t)
    const writer = startWriter(directory, 0, '2000')
    t.after(() => writer.kill9())
    await eventually('the disk to be full', () => writer.failure())
    assert.match(writer.failure() ?? '', /^failed StoreUnavailableError: the embedded store could not write/)
    await once(writer.child, 'close')
    const store = openIn(t, directory)
    const { items, revision } = await store.list('/n/')
    assert.equal(items.length, writer.acknowledged.size)
    assert.equal((await store.put('/n/more', 'v')).revision, revision + 1)
  })

  it('goes on with the same content and revision after a restart', async (t) => {
    const directory = temporaryDirectory(t)
    const before = openIn(t, directory)
    await before.put('/a', '1')
    await before.put('/b', 'ü 😀')
    await before.delete('/a')
    const listing = await before.list('/')
    await before.close()
    const after = openIn(t, directory)
    assert.deepEqual(await after.list('/'), listing)
    assert.equal((await after.put('/c', '3')).revision, listing.revision + 1)
    const seen = record(after, '/', listing.revision)
    await eventually('the end', () => seen.ends.length === 1)
    assert.equal(seen.ends[0]?.reason, 'compacted')
  })

  it('lets its owner alone read the files', async (t) => {
    const directory = temporaryDirectory(t)
    const store = openIn(t, directory)
    await store.put('/a', 'secret')
    assert.equal(statSync(directory).mode & 0o777, 0o700)
    for (const file of readdirSync(directory))
      assert.equal(statSync(join(directory, file)).mode & 0o777, 0o600, file)
  })

  it('refuses a directory that another process has open, naming both, and takes it over once that is dead', async (t) => {
    const directory = temporaryDirectory(t)
    const writer = startWriter(directory, 0)
    t.after(() => writer.kill9())
    await eventually('a write', () => writer.acknowledged.size > 0)
    assert.throws(
      () => new EmbeddedStore(directory, { logger }),
      (error: Error) => {
        assert.ok(error instanceof StoreUnavailableError)
        assert.ok(error.message.includes(directory), error.message)
        assert.ok(error.message.includes(String(writer.child.pid)), error.message)
        return true
      },
    )
    const atRefusal = writer.acknowledged.size
    await eventually('the holder to go on undisturbed', () => writer.acknowledged.size > atRefusal + 20)
    await writer.kill9()
    assert.ok((await openIn(t, directory).list('/')).items.length >= atRefusal)
  })

  it('refuses to be opened twice in one process, and opens again after a close', async (t) => {
    const directory = temporaryDirectory(t)
    const first = openIn(t, directory)
    assert.throws(() => new EmbeddedStore(directory, { logger }), new RegExp(`process ${process.pid}`))
    await first.put('/a', '1')
    await first.close()
    assert.equal((await openIn(t, directory).get('/a'))?.value, '1')
  })

  it('lets many writes share a sync', async (t) => {
    const store = openIn(t, temporaryDirectory(t))
    const startedAt = performance.now()
    await Promise.all(Array.from({ length: 5000 }, (_, i) => store.put(`/${i}`, 'x'.repeat(500))))
    const tookMs = performance.now() - startedAt
    t.diagnostic(`5000 puts in ${tookMs.toFixed(0)} ms`)
    assert.equal((await store.list('/')).revision, 5001)
    assert.ok(tookMs < 20_000)
  })

  it('remembers leases and ends those whose time ran out while it was closed', async (t) => {
    const directory = temporaryDirectory(t)
    let nowMs = 1_000_000
    const clock = fakeClock()
    const open = () => new EmbeddedStore(directory, { logger, clock, wallNowMs: () => nowMs })
    const before = open()
    const short = await before.grantLease(10)
    const long = await before.grantLease(100)
    await before.put('/short', '1', { leaseId: short.id })
    await before.put('/long', '2', { leaseId: long.id })
    await before.close()
    nowMs += 50_000
    const after = open()
    t.after(() => after.close())
    await clock.advance(1)
    await eventually('the short one to end', async () => (await after.get('/short')) === undefined)
    assert.equal((await after.get('/long'))?.value, '2')
    await clock.advance(50_000)
    await eventually('the long one to end', async () => (await after.get('/long')) === undefined)
  })

  it('keeps what has a lease of a month, which is longer than a timer can be', async (t) => {
    const clock = fakeClock()
    let restMs = 30 * 86_400_000
    const wallNowMs = () => 1_000_000_000 + clock.nowMs()
    const store = new EmbeddedStore(temporaryDirectory(t), { logger, clock, wallNowMs })
    t.after(() => store.close())
    const lease = await store.grantLease(restMs / 1000)
    await store.put('/a', '1', { leaseId: lease.id })
    for (const passMs of [1000, 25 * 86_400_000]) {
      restMs -= passMs
      await clock.advance(passMs)
      await store.put('/b', 'written after whatever was to be written')
      assert.equal((await store.get('/a'))?.value, '1')
    }
    await clock.advance(restMs)
    await eventually('the lease to end', async () => (await store.get('/a')) === undefined)
  })

  it('does not stretch a lease when the wall clock is set back', async (t) => {
    const directory = temporaryDirectory(t)
    let nowMs = 1_000_000_000
    const clock = fakeClock()
    const store = new EmbeddedStore(directory, { logger, clock, wallNowMs: () => nowMs })
    t.after(() => store.close())
    const lease = await store.grantLease(10)
    await store.put('/a', '1', { leaseId: lease.id })
    nowMs -= 3_600_000
    await clock.advance(10_000)
    await eventually('the lease to end', async () => (await store.get('/a')) === undefined)
  })
})
