import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { KeyOwner } from '../../../admin/api/duplicate-keys.ts'
import type { ConfigStore } from '../../../src/store/config-store.ts'
import { ADMIN_KEY, startGateway } from '../../../src/testing/start-gateway.ts'
import { startAdmin } from './start-admin.ts'

const consumer = (username: string, key: string) => ({ username, plugins: { 'test-auth': { key } } })
const jack = JSON.stringify(consumer('jack', 'k'))
const found = (who: string) => ({ error_msg: `duplicate key of plugin test-auth found with ${who}` })

/** A data plane that serves who it is told, and a store that says how often it was listed. */
async function start(served: Record<string, KeyOwner[]>) {
  const { store } = await startAdmin()
  let lists = 0
  const counting: ConfigStore = new Proxy(store, {
    get: (target, name) => {
      if (name === 'list') lists++
      const member = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  const admin = await startAdmin({
    store: counting,
    consumers: { owners: (plugin, key) => (plugin === 'test-auth' ? (served[key] ?? []) : []) },
  })
  const put = (name: string, key: string) =>
    admin.send('PUT', `/consumers/${name}`, { body: consumer(name, key) })
  return { admin, store, put, lists: () => lists }
}

const JACK: KeyOwner = { consumer: 'jack', credential: undefined }

describe('the key of a consumer', () => {
  it('is refused to a second one while the first is served and stored', async () => {
    const { store, put } = await start({ k: [JACK] })
    await store.put('/apisix/consumers/jack', jack)
    const shown = await put('jill', 'k')
    assert.deepEqual([shown.status, shown.body], [400, found('consumer: jack')])
    assert.equal((await put('jack', 'k')).status, 200)
  })

  it('is refused while a credential has it', async () => {
    const { store, put } = await start({ k: [{ consumer: 'jack', credential: 'c1' }] })
    const credential = { id: 'c1', plugins: { 'test-auth': { key: 'k' } } }
    await store.put('/apisix/consumers/jack/credentials/c1', JSON.stringify(credential))
    const shown = await put('jill', 'k')
    assert.deepEqual([shown.status, shown.body], [400, found('credential: c1 of consumer: jack')])
    assert.equal((await put('jack', 'k')).status, 201, 'the consumer itself may')
  })

  it('is refused for the second of those who are served with it', async () => {
    const { store, put } = await start({ k: [{ consumer: 'jill', credential: undefined }, JACK] })
    await store.put('/apisix/consumers/jack', jack)
    assert.equal((await put('jill', 'k')).status, 400)
  })

  it('is free when its owner is still served but gone from the store, or has another one there', async () => {
    const { store, put } = await start({ k: [JACK] })
    assert.equal((await put('jill', 'k')).status, 201)
    await store.put('/apisix/consumers/jack', JSON.stringify(consumer('jack', 'other')))
    await store.delete('/apisix/consumers/jill')
    assert.equal((await put('june', 'k')).status, 201)
  })

  it('is refused when its owner was written a moment ago and is not served yet', async () => {
    const { put } = await start({})
    assert.equal((await put('jack', 'k')).status, 201)
    const shown = await put('jill', 'k')
    assert.deepEqual([shown.status, shown.body], [400, found('consumer: jack')])
  })

  it('is found in the spelling that APISIX stores', async () => {
    const { store, put } = await start({ 'a/b': [JACK] })
    await store.put('/apisix/consumers/jack', '{"username":"jack","plugins":{"test-auth":{"key":"a\\/b"}}}')
    assert.equal((await put('jill', 'a/b')).status, 400)
  })

  it('is looked for without reading all consumers', async () => {
    const { put, lists } = await start({})
    for (let count = 0; count < 20; count++) assert.equal((await put(`c${count}`, `k${count}`)).status, 201)
    assert.equal(lists(), 0)
  })
})

describe('a gateway', () => {
  it('lets two consumers have no key in common, however fast they come', async (t) => {
    const { addresses, gateway } = await startGateway(t)
    const put = (username: string, key: string) =>
      fetch(`http://127.0.0.1:${addresses.admin!.port}/apisix/admin/consumers/${username}`, {
        method: 'PUT',
        headers: { 'x-api-key': ADMIN_KEY },
        body: JSON.stringify({ username, plugins: { 'key-auth': { key } } }),
      }).then(({ status }) => status)
    for (let round = 0; round < 10; round++) {
      assert.equal(await put(`one${round}`, `key${round}`), 201)
      assert.equal(await put(`two${round}`, `key${round}`), 400)
    }
    await gateway.settled()
    for (let round = 0; round < 10; round++) {
      assert.equal(await put(`two${round}`, `key${round}`), 400)
      assert.equal(await put(`one${round}`, `other${round}`), 200)
      assert.equal(await put(`two${round}`, `key${round}`), 201)
    }
  })
})
