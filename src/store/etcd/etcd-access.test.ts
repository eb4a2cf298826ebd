import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { type RunningEtcd, startEtcd } from '../../../test/support/etcd.ts'
import { eventually, record } from '../../../test/support/watch-recording.ts'
import { createLogger } from '../../observe/logger.ts'
import { StoreUnavailableError } from '../config-store.ts'
import { EtcdStore, type EtcdStoreOptions } from './etcd-store.ts'

const logger = createLogger('silent')

function openStore(t: TestContext, etcd: RunningEtcd, options: Partial<EtcdStoreOptions> = {}): EtcdStore {
  const store = new EtcdStore({ hosts: [etcd.endpoint], logger, ...options })
  t.after(() => store.close())
  return store
}

/** An etcd that asks for a login, with a user who may use `/apisix/` only. */
async function startGuardedEtcd(t: TestContext): Promise<RunningEtcd> {
  const etcd = await startEtcd(t)
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const perm = { permType: 'READWRITE', key: base64('/apisix/'), range_end: base64('/apisix0') }
  await etcd.post('/v3/auth/user/add', { name: 'root', password: 'rootword' })
  await etcd.post('/v3/auth/role/add', { name: 'root' })
  await etcd.post('/v3/auth/user/grant', { user: 'root', role: 'root' })
  await etcd.post('/v3/auth/user/add', { name: 'gateway', password: 'sesame' })
  await etcd.post('/v3/auth/role/add', { name: 'apisix' })
  await etcd.post('/v3/auth/role/grant', { name: 'apisix', perm })
  await etcd.post('/v3/auth/user/grant', { user: 'gateway', role: 'apisix' })
  await etcd.post('/v3/auth/enable', {})
  return etcd
}

describe('access to etcd', { concurrency: true }, () => {
  it('logs in with user and password, and again when etcd has forgotten the login', async (t) => {
    const etcd = await startGuardedEtcd(t)
    const store = openStore(t, etcd, { user: 'gateway', password: 'sesame' })
    const { revision } = await store.put('/apisix/routes/1', 'v')
    assert.equal((await store.list('/apisix/')).items.length, 1)
    const before = record(store, '/apisix/', revision + 1)
    await etcd.restart()
    await eventually('the watch to end', () => before.ends.length === 1)
    await eventually('a write', () => store.put('/apisix/routes/2', 'v').catch(() => undefined))
    const after = record(store, '/apisix/', revision + 1)
    await eventually('the event', () => after.events.length > 0)
    assert.deepEqual(after.ends, [])
  })

  it('watches with a login that etcd has forgotten without any other call', async (t) => {
    const etcd = await startGuardedEtcd(t)
    const store = openStore(t, etcd, { user: 'gateway', password: 'sesame' })
    const { revision } = await store.put('/apisix/routes/1', 'v')
    await etcd.restart()
    const seen = record(store, '/apisix/', revision)
    await eventually('an event or an end', () => seen.events.length + seen.ends.length > 0)
    // The old connection may end the first one; the next has to work.
    const second = seen.events.length > 0 ? seen : record(store, '/apisix/', revision)
    await eventually('the event', () => second.events.length === 1)
  })

  it('says what is wrong with a login, without the password', async (t) => {
    const etcd = await startGuardedEtcd(t)
    const cases: [Partial<EtcdStoreOptions>, RegExp][] = [
      [{ user: 'gateway', password: 'wrongword' }, /user or password is wrong/],
      [{}, /asks for a user and a password/],
    ]
    for (const [login, reason] of cases) {
      const store = openStore(t, etcd, login)
      await assert.rejects(store.put('/apisix/a', 'v'), (error: Error) => {
        assert.ok(error instanceof StoreUnavailableError)
        assert.match(error.message, reason)
        assert.ok(!`${error.message} ${error.stack} ${error.cause}`.includes('wrongword'))
        return true
      })
    }
    const outside = openStore(t, etcd, { user: 'gateway', password: 'sesame' })
    await assert.rejects(outside.put('/elsewhere/a', 'v'), /permission denied/)
    const seen = record(outside, '/elsewhere/', 1)
    await eventually('the refusal', () => seen.ends.length === 1)
    assert.equal(seen.ends[0]?.reason, 'disconnected')
  })

  it('refuses a certificate it has no reason to trust, and takes it when told to', async (t) => {
    const etcd = await startEtcd(t, { isSecure: true })
    await assert.rejects(openStore(t, etcd, { timeoutMs: 2000 }).put('/apisix/a', 'v'), (error: Error) => {
      assert.ok(error instanceof StoreUnavailableError)
      assert.match(error.message, /certificate|no answer/)
      return true
    })
    const trusting: EtcdStoreOptions['tls'][] = [{ verify: false }, { ca: etcd.certificatePath }]
    for (const tls of trusting) {
      const store = openStore(t, etcd, tls ? { tls } : {})
      const { revision } = await store.put('/apisix/a', 'v')
      const seen = record(store, '/apisix/', revision)
      await eventually('the event', () => seen.events.length === 1)
    }
  })

  it('refuses hosts it cannot use, without showing what may be a password in them', () => {
    for (const host of [
      '127.0.0.1:2379',
      'ftp://a',
      'http://root:sesame@127.0.0.1:2379',
      'http://a/path',
      '',
    ]) {
      assert.throws(
        () => new EtcdStore({ hosts: [host], logger }),
        (error: Error) => error instanceof TypeError && !error.message.includes('sesame'),
      )
    }
    assert.throws(() => new EtcdStore({ hosts: [], logger }), /at least one host/)
    assert.throws(() => new EtcdStore({ hosts: ['http://a:1', 'https://b:1'], logger }), /mix http and https/)
    assert.throws(
      () => new EtcdStore({ hosts: ['https://a:1'], logger, tls: { cert: 'x' } }),
      /both tls.cert and tls.key/,
    )
  })
})
