import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Address, CacheStore, StoredHead } from './cache-store.ts'

export interface StoreUnderTest {
  readonly store: CacheStore
  /** Resolves when what the store does by itself is done. */
  settled(): Promise<void>
}

/** Makes a store with these bounds; released by whoever makes it. */
export type MakeStore = (limits: { maxBytes: number; maxEntries: number }) => Promise<StoreUnderTest>

const WIDE = { maxBytes: 10_000_000, maxEntries: 1000 }

export const headOf = (more: Partial<StoredHead> = {}): StoredHead => ({
  status: 200,
  headers: ['Content-Type', 'text/plain'],
  storedAtMs: Date.now(),
  freshForMs: 60_000,
  initialAgeS: 0,
  vary: [],
  isPublic: false,
  ...more,
})

export const addressOf = (key: string, headers: Record<string, string> = {}, partition = ''): Address => ({
  key,
  partition,
  header: (name) => headers[name],
})

/** Stores a body under an address; says whether it was kept. */
export async function keep(
  store: CacheStore,
  address: Address,
  { head = headOf(), body = 'body' }: { head?: StoredHead; body?: string | Uint8Array } = {},
): Promise<boolean> {
  const recording = store.record(address, head, undefined)
  if (!recording?.write(Buffer.from(body))) return false
  return recording.commit()
}

/** The body at an address as Latin-1 text. */
export async function bodyAt(store: CacheStore, address: Address): Promise<string | undefined> {
  const stored = await store.find(address)
  const body = stored?.body()
  if (body === undefined) return undefined
  const bytes = body instanceof Uint8Array ? body : Buffer.concat(await body.toArray())
  assert.equal(bytes.length, stored!.bodyBytes)
  return Buffer.from(bytes).toString('latin1')
}

/** What every store owes; to be called inside a `describe`. */
export function testStore(make: MakeStore): void {
  testKeeping(make)
  testVariants(make)
  testBounds(make)
}

function testKeeping(make: MakeStore): void {
  it('gives back what it was given, head and body', async () => {
    const { store } = await make(WIDE)
    const head = headOf({ status: 404, headers: ['A', '1', 'a', '2'], initialAgeS: 7, isPublic: true })
    const recording = store.record(addressOf('k'), head, undefined)!
    for (const chunk of ['one ', 'two ', '\u00ff']) recording.write(Buffer.from(chunk, 'latin1'))
    assert.equal(await recording.commit(), true)
    const stored = await store.find(addressOf('k'))
    assert.deepEqual(stored?.head, head)
    stored?.release()
    assert.equal(await bodyAt(store, addressOf('k')), 'one two \u00ff')
    assert.equal(store.entries, 1)
  })

  it('keeps bodies that are empty and bodies that are large', async () => {
    const { store } = await make(WIDE)
    const large = Buffer.alloc(700_001, 'abcdefg')
    await store.record(addressOf('empty'), headOf(), 0)!.commit()
    await keep(store, addressOf('large'), { body: large })
    assert.equal(await bodyAt(store, addressOf('empty')), '')
    assert.equal(await bodyAt(store, addressOf('large')), large.toString('latin1'))
  })

  it('shows nothing of a recording that is under way or was given up', async () => {
    const { store, settled } = await make(WIDE)
    const recording = store.record(addressOf('k'), headOf(), undefined)!
    recording.write(Buffer.from('half'))
    assert.equal(await store.find(addressOf('k')), undefined)
    recording.abort()
    assert.equal(recording.write(Buffer.from('more')), false)
    assert.equal(await recording.commit(), false)
    await settled()
    assert.equal(await store.find(addressOf('k')), undefined)
    assert.equal(store.entries, 0)
    assert.equal(store.bytes, 0)
  })

  it('replaces an answer by a later one, which goes on being readable for who has it', async () => {
    const { store, settled } = await make(WIDE)
    await keep(store, addressOf('k'), { body: Buffer.alloc(200_000, 'old') })
    const old = await store.find(addressOf('k'))
    await keep(store, addressOf('k'), { body: 'new' })
    await settled()
    assert.equal(await bodyAt(store, addressOf('k')), 'new')
    const body = old!.body()
    const bytes = body instanceof Uint8Array ? body : Buffer.concat(await body.toArray())
    assert.equal(bytes.length, 200_000)
    assert.equal(store.entries, 1)
  })

  it('forgets all below a key when it is purged, and says whether there was anything', async () => {
    const { store, settled } = await make(WIDE)
    await keep(store, addressOf('k', {}, 'a'))
    await keep(store, addressOf('k', {}, 'b'))
    await keep(store, addressOf('other'))
    assert.equal(await store.purge('k'), true)
    assert.equal(await store.purge('k'), false)
    await settled()
    assert.equal(await store.find(addressOf('k', {}, 'a')), undefined)
    assert.equal(await bodyAt(store, addressOf('other')), 'body')
  })

  it('takes any text for a key, paths among it', async () => {
    const { store } = await make(WIDE)
    const keys = ['../../etc/passwd', '/', '', 'a\0b', 'x'.repeat(10_000), '__proto__', 'constructor', 'é\n']
    for (const key of keys) assert.equal(await keep(store, addressOf(key), { body: `of ${key}` }), true)
    for (const key of keys) {
      assert.equal(
        await bodyAt(store, addressOf(key)),
        Buffer.from(`of ${key}`).toString('latin1'),
        JSON.stringify(key),
      )
    }
  })
}

function testVariants(make: MakeStore): void {
  it('tells answers apart by the headers they vary by, and by nothing else', async () => {
    const { store } = await make(WIDE)
    const head = headOf({ vary: ['accept-language'] })
    await keep(store, addressOf('k', { 'accept-language': 'de' }), { head, body: 'deutsch' })
    await keep(store, addressOf('k', { 'accept-language': 'fr' }), { head, body: 'français' })
    const german = addressOf('k', { 'accept-language': 'de', cookie: 'any' })
    assert.equal(await bodyAt(store, german), 'deutsch')
    assert.equal(await store.find(addressOf('k', { 'accept-language': 'it' })), undefined)
    assert.equal(await store.find(addressOf('k')), undefined)
    assert.notEqual(store.variantOf(german), store.variantOf(addressOf('k', { 'accept-language': 'fr' })))
  })

  it('lets answers go that can no longer be told apart', async () => {
    const { store } = await make(WIDE)
    await keep(store, addressOf('k', { a: '1' }), { head: headOf({ vary: ['a'] }) })
    await keep(store, addressOf('k', { b: '1' }), { head: headOf({ vary: ['b'] }), body: 'by b' })
    assert.equal(await store.find(addressOf('k', { a: '1' })), undefined)
    assert.equal(await bodyAt(store, addressOf('k', { a: '1', b: '1' })), 'by b')
  })

  it('tells partitions apart', async () => {
    const { store } = await make(WIDE)
    await keep(store, addressOf('k', {}, 'a'), { body: 'in a' })
    assert.equal(await store.find(addressOf('k', {}, 'b')), undefined)
    assert.notEqual(store.variantOf(addressOf('k', {}, 'a')), store.variantOf(addressOf('k', {}, 'b')))
  })

  it('keeps at most 64 variants of a key', async () => {
    const { store } = await make(WIDE)
    const head = headOf({ vary: ['a'] })
    for (let i = 0; i < 80; i++) await keep(store, addressOf('k', { a: String(i) }), { head })
    assert.equal(store.entries, 64)
    assert.equal(await store.find(addressOf('k', { a: '0' })), undefined)
    assert.equal(await bodyAt(store, addressOf('k', { a: '79' })), 'body')
  })
}

function testBounds(make: MakeStore): void {
  it('stays within its bytes: the least recently used answer makes room', async () => {
    const { store } = await make({ maxBytes: 40_000, maxEntries: 100 })
    const body = 'x'.repeat(10_000)
    for (const key of ['a', 'b', 'c']) await keep(store, addressOf(key), { body })
    assert.equal((await bodyAt(store, addressOf('a')))?.length, 10_000)
    await keep(store, addressOf('d'), { body })
    assert.equal(await store.find(addressOf('b')), undefined)
    assert.equal((await bodyAt(store, addressOf('a')))?.length, 10_000)
    assert.ok(store.bytes <= 40_000, `${store.bytes} bytes`)
  })

  it('stays within its number of entries', async () => {
    const { store } = await make({ maxBytes: 1_000_000, maxEntries: 3 })
    for (const key of ['a', 'b', 'c', 'd']) await keep(store, addressOf(key))
    assert.equal(store.entries, 3)
    assert.equal(await store.find(addressOf('a')), undefined)
  })

  it('takes no answer that is larger than all of it, announced or not', async () => {
    const { store, settled } = await make({ maxBytes: 10_000, maxEntries: 100 })
    await keep(store, addressOf('small'))
    assert.equal(store.record(addressOf('large'), headOf(), 20_000), undefined)
    const recording = store.record(addressOf('large'), headOf(), undefined)!
    assert.equal(recording.write(Buffer.alloc(6_000)), true)
    assert.equal(recording.write(Buffer.alloc(6_000)), false)
    assert.equal(await recording.commit(), false)
    await settled()
    assert.equal(await bodyAt(store, addressOf('small')), 'body')
  })
}
