import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fakeClock } from '../../test/support/fake-clock.ts'
import { brief, eventually, record } from '../../test/support/watch-recording.ts'
import { createLogger } from '../observe/logger.ts'
import { ReadOnlyStoreError, StoreUnavailableError } from './config-store.ts'
import { FileStore, type FileStoreOptions } from './file-store.ts'

const logger = createLogger('silent')

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'gatewright-file-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

function openStore(t: TestContext, path: string, options: Partial<FileStoreOptions> = {}): FileStore {
  const store = new FileStore({ path, prefix: '/apisix', logger, env: {}, pollIntervalMs: 50, ...options })
  t.after(() => store.close())
  return store
}

/** Replaces the file as editors do: another file takes its name. */
function write(path: string, text: string): void {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

const ROUTES = (uris: Record<string, string>) =>
  `routes:\n${Object.entries(uris)
    .map(([id, uri]) => `  - id: ${id}\n    uri: ${uri}\n`)
    .join('')}#END\n`

async function setUp(t: TestContext, text: string, options: Partial<FileStoreOptions> = {}) {
  const path = join(temporaryDirectory(t), 'apisix.yaml')
  write(path, text)
  const store = openStore(t, path, options)
  return { path, store, listing: await store.list('/apisix/') }
}

describe('FileStore', () => {
  it('lists the items of apisix.yaml under the prefix', async (t) => {
    const { store, listing } = await setUp(t, ROUTES({ b: '/b', a: '/a' }))
    assert.deepEqual(
      listing.items.map((item) => [item.key, JSON.parse(item.value)]),
      [
        ['/apisix/routes/a', { id: 'a', uri: '/a' }],
        ['/apisix/routes/b', { id: 'b', uri: '/b' }],
      ],
    )
    assert.deepEqual(await store.get('/apisix/routes/a'), listing.items[0])
    assert.equal(store.status().problem, undefined)
  })

  it('lists the items of apisix.json, which needs no end mark', async (t) => {
    const path = join(temporaryDirectory(t), 'apisix.json')
    write(path, '{"routes":[{"id":"a","uri":"/a"}]}')
    const { items } = await openStore(t, path).list('/apisix/routes/')
    assert.deepEqual(
      items.map((item) => item.value),
      ['{"id":"a","uri":"/a"}'],
    )
  })

  it('tells a change as one revision: changed items are new, removed ones deleted, others left alone', async (t) => {
    const { path, store, listing } = await setUp(t, ROUTES({ changed: '/1', kept: '/k', removed: '/r' }))
    const seen = record(store, '/apisix/', listing.revision + 1)
    write(path, ROUTES({ changed: '/2', kept: '/k', added: '/a' }))
    await eventually('the change', () => seen.events.length === 3)
    assert.deepEqual(seen.events.map(brief).sort(), [
      'delete /apisix/routes/removed',
      'put /apisix/routes/added={"id":"added","uri":"/a"}',
      'put /apisix/routes/changed={"id":"changed","uri":"/2"}',
    ])
    assert.equal(new Set(seen.revisions).size, 1)
    const before = new Map(listing.items.map((item) => [item.key, item]))
    const after = await store.list('/apisix/')
    assert.ok(after.revision > listing.revision)
    for (const item of after.items) {
      const isKept = item.key.endsWith('kept')
      assert.equal(item.modRevision, isKept ? before.get(item.key)?.modRevision : after.revision, item.key)
    }
  })

  it('makes no event of a file that was written again with the same content', async (t) => {
    const loads: string[] = []
    const onStatus: FileStoreOptions['onStatus'] = (status) => loads.push(status.problem ?? 'ok')
    const { path, store, listing } = await setUp(t, ROUTES({ a: '/a' }), { onStatus })
    const seen = record(store, '/apisix/', listing.revision + 1)
    write(path, ROUTES({ a: '/a' }))
    write(path, `# only a comment\n${ROUTES({ a: '/a' })}`)
    await eventually('the comment to be read', () => loads.length >= 2)
    write(path, ROUTES({ a: '/b' }))
    await eventually('the change', () => seen.events.length > 0)
    assert.deepEqual(seen.events.map(brief), ['put /apisix/routes/a={"id":"a","uri":"/b"}'])
    assert.deepEqual(seen.revisions, [(await store.list('/')).revision])
  })

  it('keeps the last good content while the file is broken, says why, and recovers', async (t) => {
    const { path, store, listing } = await setUp(t, ROUTES({ a: '/a' }))
    const seen = record(store, '/apisix/', listing.revision + 1)
    const broken: [string, RegExp][] = [
      ['routes:\n  - id: a\n    uri: /half', /#END/],
      ['routes:\n  - id: [a\n#END\n', /not valid YAML \(line \d+\)/],
      ['routes:\n  - id: ${{UNSET_VARIABLE}}\n#END\n', /UNSET_VARIABLE/],
      ['#END\n', /nothing before #END/],
      ['', /#END/],
    ]
    for (const [text, problem] of broken) {
      write(path, text)
      await eventually(`the problem ${problem}`, () => problem.test(store.status().problem ?? ''))
      assert.deepEqual(await store.list('/apisix/'), listing)
    }
    rmSync(path)
    await eventually('the file to be missed', () => /no such file/.test(store.status().problem ?? ''))
    write(path, ROUTES({ a: '/a' }))
    await eventually('recovery', () => store.status().problem === undefined)
    assert.deepEqual(await store.list('/apisix/'), listing)
    assert.deepEqual(seen.events, [])
  })

  it('takes a large file as well as a small one, and says where it is broken', async (t) => {
    const many = Object.fromEntries(
      Array.from({ length: 3000 }, (_, i) => [`r${i}`, `/a/long/path/number/${i}`]),
    )
    const { path, store, listing } = await setUp(t, ROUTES(many))
    assert.equal(listing.items.length, 3000)
    assert.equal((await store.get('/apisix/routes/r7'))?.value, '{"id":"r7","uri":"/a/long/path/number/7"}')
    write(path, ROUTES({ ...many, r9: '[sesame' }))
    await eventually('the problem', () => store.status().problem !== undefined)
    assert.match(store.status().problem ?? '', /^it is not valid YAML \(line \d+\): [^:]*$/)
    assert.doesNotMatch(store.status().problem ?? '', /sesame/)
    write(path, ROUTES({ ...many, r9: '/again' }))
    await eventually('the change', async () =>
      (await store.get('/apisix/routes/r9'))?.value.includes('/again'),
    )
  })

  it('shows no part of a broken file', async (t) => {
    const path = join(temporaryDirectory(t), 'apisix.yaml')
    for (const text of [
      'a: b\nsesame: "x" sesame\n#END\n',
      '}sesame\n#END\n',
      'a: *sesame\n#END\n',
      '@sesame: 1\n#END',
    ]) {
      write(path, text)
      const store = openStore(t, path)
      await assert.rejects(store.list('/'), (error: Error) => !error.message.includes('sesame'))
      assert.match(store.status().problem ?? '', /not valid YAML/)
    }
  })

  it('is unavailable until there is a first good file', async (t) => {
    const path = join(temporaryDirectory(t), 'apisix.yaml')
    const store = openStore(t, path)
    await assert.rejects(store.list('/apisix/'), (error: Error) => {
      assert.ok(error instanceof StoreUnavailableError)
      assert.ok(error.message.includes(path) && /no such file/.test(error.message), error.message)
      return true
    })
    await assert.rejects(store.get('/apisix/routes/a'), StoreUnavailableError)
    write(path, ROUTES({ a: '/a' }))
    await eventually('the file to be read', () => store.status().loadedAtMs !== undefined)
    assert.equal((await store.list('/apisix/')).items.length, 1)
  })

  it('finds a change that no notice tells of, by looking regularly', async (t) => {
    const directory = temporaryDirectory(t)
    mkdirSync(join(directory, 'elsewhere'))
    mkdirSync(join(directory, 'conf'))
    const target = join(directory, 'elsewhere', 'apisix.yaml')
    write(target, ROUTES({ a: '/a' }))
    symlinkSync(target, join(directory, 'conf', 'apisix.yaml'))
    const clock = fakeClock()
    const store = openStore(t, join(directory, 'conf', 'apisix.yaml'), { clock, pollIntervalMs: 1000 })
    const listing = await store.list('/apisix/')
    const seen = record(store, '/apisix/', listing.revision + 1)
    write(target, ROUTES({ a: '/b' }))
    await clock.advance(999)
    assert.deepEqual(seen.events, [])
    await clock.advance(1)
    await eventually('the change', () => seen.events.length === 1)
  })

  it('does not go back to a lower revision after a restart', async (t) => {
    const { path, store } = await setUp(t, ROUTES({ a: '/a' }))
    write(path, ROUTES({ a: '/b' }))
    await eventually('the change', async () => (await store.get('/apisix/routes/a'))?.value.includes('/b'))
    const before = (await store.list('/')).revision
    await store.close()
    write(path, ROUTES({ a: '/b', b: '/b' }))
    assert.ok((await openStore(t, path).list('/')).revision >= before)
  })

  it('takes no writes', async (t) => {
    const { store } = await setUp(t, ROUTES({ a: '/a' }))
    await assert.rejects(store.put(), ReadOnlyStoreError)
    await assert.rejects(store.delete(), ReadOnlyStoreError)
    await assert.rejects(store.deletePrefix(), ReadOnlyStoreError)
    await assert.rejects(store.grantLease(), ReadOnlyStoreError)
    assert.equal(store.isReadOnly, true)
  })

  it('ends its watches and its looking when closed', async (t) => {
    const clock = fakeClock()
    const { store, listing } = await setUp(t, ROUTES({ a: '/a' }), { clock })
    const seen = record(store, '/', listing.revision + 1)
    await eventually('the watch', () => clock.pending > 0)
    await Promise.all([store.close(), store.close()])
    assert.deepEqual(seen.ends, [{ reason: 'closed' }])
    assert.equal(clock.pending, 0)
    await assert.rejects(store.list('/'), StoreUnavailableError)
  })
})
