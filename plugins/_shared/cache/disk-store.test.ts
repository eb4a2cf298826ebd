import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { type DiskFailure, DiskStore } from './disk-store.ts'
import { addressOf, bodyAt, headOf, keep, testStore } from './store-contract.ts'

const WIDE = { maxBytes: 10_000_000, maxEntries: 1000 }
const stores: DiskStore[] = []
const folders: string[] = []

after(async () => {
  for (const store of stores) await store.close()
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gatewright-cache-'))
  folders.push(folder)
  return folder
}

async function opened(folder: string, options: Partial<ConstructorParameters<typeof DiskStore>[0]> = {}) {
  const failures: DiskFailure[] = []
  const store = new DiskStore({
    ...WIDE,
    folder,
    levels: [1, 2],
    now: () => Date.now(),
    onFailure: (reason) => void failures.push(reason),
    ...options,
  })
  stores.push(store)
  await store.settled()
  return { store, failures }
}

/** Files below a folder, as paths relative to it. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
}

describe('the disk store', () => {
  testStore(async (limits) => {
    const { store } = await opened(await newFolder(), limits)
    return { store, settled: () => store.settled() }
  })

  it('names files by hashes, in folders as nginx makes them, readable for nobody else', async () => {
    const folder = await newFolder()
    const { store } = await opened(folder)
    await keep(store, addressOf('../../escape'))
    const [file, ...others] = await filesIn(folder)
    assert.deepEqual(others, [])
    assert.match(file!, /^([0-9a-f])\/([0-9a-f]{2})\/[0-9a-f]{61}\2\1\.[0-9a-f]{64}\.[0-9a-f]{8}$/)
    assert.equal((await stat(join(folder, file!))).mode & 0o077, 0)
  })

  it('finds after a restart what was fresh, with what it varies by, and removes the rest', async () => {
    const folder = await newFolder()
    const { store } = await opened(folder)
    const head = headOf({ vary: ['a'] })
    await keep(store, addressOf('k', { a: '1' }), { head, body: 'kept' })
    await keep(store, addressOf('old'), { head: headOf({ storedAtMs: Date.now() - 120_000 }) })
    await keep(store, addressOf('large'), { body: Buffer.alloc(300_000, 'x') })
    await store.close()
    const again = await opened(folder)
    assert.equal(await bodyAt(again.store, addressOf('k', { a: '1' })), 'kept')
    assert.equal(await again.store.find(addressOf('k', { a: '2' })), undefined)
    assert.equal((await bodyAt(again.store, addressOf('large')))?.length, 300_000)
    assert.equal(await again.store.find(addressOf('old')), undefined)
    assert.equal((await filesIn(folder)).length, 2)
    assert.deepEqual(again.failures, [])
  })

  it('does not take what it stores for something old while it still looks through its folder', async () => {
    const folder = await newFolder()
    const { store: before } = await opened(folder)
    for (let i = 0; i < 50; i++) await keep(before, addressOf(`old ${i}`))
    await before.close()
    const options = { ...WIDE, folder, levels: [1, 2], now: () => Date.now(), onFailure: assert.fail }
    const store = new DiskStore(options)
    stores.push(store)
    for (let i = 0; i < 50; i++) {
      await keep(store, addressOf(`new ${i}`))
      await keep(store, addressOf(`old ${i}`), { body: 'newer' })
    }
    await store.settled()
    for (let i = 0; i < 50; i++) {
      assert.equal(await bodyAt(store, addressOf(`new ${i}`)), 'body')
      assert.equal(await bodyAt(store, addressOf(`old ${i}`)), 'newer')
    }
    await store.settled()
    assert.equal((await filesIn(folder)).length, 100)
  })

  it('stays within its bytes on the disk too', async () => {
    const folder = await newFolder()
    const { store } = await opened(folder, { maxBytes: 50_000 })
    for (let i = 0; i < 20; i++) await keep(store, addressOf(String(i)), { body: 'x'.repeat(10_000) })
    await store.settled()
    const sizes = await Promise.all((await filesIn(folder)).map((file) => stat(join(folder, file))))
    const total = sizes.reduce((sum, { size }) => sum + size, 0)
    assert.ok(total > 20_000 && total <= 50_000, `${total} bytes`)
  })

  const damages: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
    'cut short': (bytes) => bytes.subarray(0, bytes.length - 1),
    'cut within its head': (bytes) => bytes.subarray(0, 40),
    emptied: () => Buffer.alloc(0),
    'changed in its body': (bytes) => flipped(bytes, bytes.length - 2),
    'changed in its head': (bytes) => flipped(bytes, 40),
    'of another form': (bytes) => flipped(bytes, 0),
    'full of zeros': (bytes) => Buffer.alloc(bytes.length),
  }
  for (const [name, damage] of Object.entries(damages)) {
    it(`never gives a file that was ${name}, while it runs or after a restart`, async () => {
      const folder = await newFolder()
      const { store, failures } = await opened(folder)
      await keep(store, addressOf('k'))
      const path = join(folder, (await filesIn(folder))[0]!)
      const damaged = damage(await readFile(path))
      await writeFile(path, damaged)
      assert.equal(await store.find(addressOf('k')), undefined)
      assert.deepEqual(failures, ['corrupt'])
      await store.settled()
      assert.deepEqual(await filesIn(folder), [])
      await writeFile(path, damaged)
      const other = await opened(folder)
      assert.equal(await other.store.find(addressOf('k')), undefined)
      assert.deepEqual(await filesIn(folder), [])
      assert.equal(store.entries, 0)
    })
  }

  it('cuts the stream of a large body that has changed before its end is sent', async () => {
    const folder = await newFolder()
    const { store, failures } = await opened(folder)
    await keep(store, addressOf('k'), { body: Buffer.alloc(300_000, 'x') })
    const path = join(folder, (await filesIn(folder))[0]!)
    await writeFile(path, flipped(await readFile(path), 150_000))
    await assert.rejects(bodyAt(store, addressOf('k')), /the body has changed/)
    assert.deepEqual(failures, ['corrupt'])
    assert.equal(await store.find(addressOf('k')), undefined)
  })

  it('misses a file that somebody has removed, without a complaint', async () => {
    const folder = await newFolder()
    const { store, failures } = await opened(folder)
    await keep(store, addressOf('k'))
    await rm(join(folder, (await filesIn(folder))[0]!))
    assert.equal(await store.find(addressOf('k')), undefined)
    assert.deepEqual(failures, [])
  })

  it('removes unfinished files of an earlier run, and nothing that is not its own', async () => {
    const folder = await newFolder()
    const unfinished = join(folder, 'unfinished')
    const names = [`${'a'.repeat(24)}.tmp`, `${'b'.repeat(24)}.tmp`, 'notes.txt']
    await mkdir(unfinished, { recursive: true })
    for (const name of names) await writeFile(join(unfinished, name), 'x')
    await writeFile(join(folder, 'notes.txt'), 'x')
    const longAgo = new Date(Date.now() - 3_600_000)
    await utimes(join(unfinished, names[0]!), longAgo, longAgo)
    await opened(folder)
    const left = await filesIn(folder)
    assert.deepEqual(left.sort(), ['notes.txt', ...names.slice(1).map((name) => `unfinished/${name}`)].sort())
  })

  it('keeps nothing and says so when its folder cannot be made', async () => {
    const folder = await newFolder()
    await writeFile(join(folder, 'file'), 'x')
    const { store, failures } = await opened(join(folder, 'file', 'below'))
    assert.deepEqual(failures, ['open'])
    assert.equal(store.record(addressOf('k'), headOf(), undefined), undefined)
    assert.equal(await store.find(addressOf('k')), undefined)
  })

  it('gives a recording up that cannot be written, and goes on once it can', async () => {
    const folder = await newFolder()
    const { store, failures } = await opened(folder)
    await rm(folder, { recursive: true })
    await writeFile(folder, 'in the way')
    assert.equal(await keep(store, addressOf('k')), false)
    assert.ok(failures.length > 0 && failures.every((reason) => reason === 'write'))
    await rm(folder)
    assert.equal(await keep(store, addressOf('k')), true)
    assert.equal(await bodyAt(store, addressOf('k')), 'body')
  })

  it('leaves no unfinished file when it is closed', async () => {
    const folder = await newFolder()
    const { store } = await opened(folder)
    store.record(addressOf('k'), headOf(), undefined)!.write(Buffer.from('half'))
    const committed = keep(store, addressOf('other'))
    await store.close()
    await committed
    const left = await filesIn(folder)
    assert.deepEqual(
      left.filter((file) => file.startsWith('unfinished')),
      [],
    )
  })
})

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes)
  changed[at] = changed[at]! ^ 0xff
  return changed
}
