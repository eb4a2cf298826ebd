import assert from 'node:assert/strict'
import { createCipheriv } from 'node:crypto'
import { describe, it, type TestContext } from 'node:test'
import { createLogger } from '../../src/observe/logger.ts'
import { EmbeddedStore } from '../../src/store/embedded-store.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { fakeSecretServer } from '../support/fake-secret-server.ts'

const guarded = (port: number) => ({
  uri: '/*',
  plugins: { 'key-auth': {} },
  upstream: { nodes: { [`127.0.0.1:${port}`]: 1 } },
})
const consumer = (key: string) => ({ username: 'jack', plugins: { 'key-auth': { key } } })

async function statusWith({ proxyUrl }: TestGateway, key: string): Promise<number> {
  const response = await fetch(`${proxyUrl}/`, { headers: { apikey: key } })
  await response.arrayBuffer()
  return response.status
}

async function control({ addresses }: TestGateway, path: string): Promise<unknown> {
  return (await fetch(`http://127.0.0.1:${addresses.control!.port}${path}`)).json()
}

function setVariable(t: TestContext, name: string, value: string): void {
  process.env[name] = value
  t.after(() => delete process.env[name])
}

describe('secrets kept elsewhere', () => {
  it('come from the environment', async (t) => {
    setVariable(t, 'SECRETS_TEST_KEY', 'from-env')
    const { port } = await fakeUpstream(t)
    const gateway = await startGateway(t, {
      routes: { 1: guarded(port) },
      consumers: { jack: consumer('$env://SECRETS_TEST_KEY') },
    })
    assert.equal(await statusWith(gateway, 'from-env'), 200)
    assert.equal(await statusWith(gateway, '$env://SECRETS_TEST_KEY'), 401)
  })

  it('come from Vault, through a manager of the store', async (t) => {
    const vault = await fakeSecretServer(t, () => ({ json: { data: { key: 'from-vault' } } }))
    const store = new MemoryStore({ logger: createLogger('silent') })
    const manager = { id: 'vault/1', uri: vault.url, prefix: 'kv/apisix', token: 't' }
    await store.put('/apisix/secrets/vault/1', JSON.stringify(manager))
    const { port } = await fakeUpstream(t)
    const gateway = await startGateway(
      t,
      { routes: { 1: guarded(port) }, consumers: { jack: consumer('$secret://vault/1/jack/key') } },
      { store },
    )
    assert.equal(await statusWith(gateway, 'from-vault'), 200)
    assert.deepEqual(
      vault.calls.map(({ path }) => path),
      ['/v1/kv/apisix/jack'],
    )
  })

  it('that are not to be had are told of, and their consumer is nobody', async (t) => {
    const { port } = await fakeUpstream(t)
    const gateway = await startGateway(t, {
      routes: { 1: guarded(port) },
      consumers: { jack: consumer('$env://SECRETS_TEST_NONE') },
    })
    assert.equal(await statusWith(gateway, '$env://SECRETS_TEST_NONE'), 401)
    const [secret] = (await control(gateway, '/v1/secrets')) as { reference: string; state: string }[]
    assert.equal(secret?.reference, '$env://SECRETS_TEST_NONE')
    assert.equal(secret?.state, 'failed')
  })
})

describe('secret fields of what is stored', () => {
  it('are encrypted in the store, and readable for who may read them', async (t) => {
    const { port } = await fakeUpstream(t)
    const settings = { 'gatewright.store': 'embedded' }
    const first = await startGateway(
      t,
      { routes: { 1: guarded(port) }, consumers: { jack: consumer('marked-secret') } },
      { settings },
    )
    assert.equal(await statusWith(first, 'marked-secret'), 200)
    const shown = await first.admin('GET', 'consumers/jack')
    assert.deepEqual((shown.body['value'] as { plugins: unknown }).plugins, {
      'key-auth': { key: 'marked-secret' },
    })
    await first.stop()

    const store = await EmbeddedStore.open(`${first.directory}/store`, { logger: createLogger('silent') })
    const stored = (await store.get('/apisix/consumers/jack'))!.value
    await store.close()
    assert.ok(!stored.includes('marked-secret'), stored)

    const second = await startGateway(
      t,
      {},
      { settings: { ...settings, 'gatewright.data_dir': first.directory } },
    )
    assert.equal(await statusWith(second, 'marked-secret'), 200)
    const patched = await second.admin('PUT', 'consumers/jill', {
      username: 'jill',
      plugins: { 'key-auth': { key: 'marked-secret' } },
    })
    assert.equal(patched.status, 400, 'a duplicate is seen although both are encrypted')
  })

  it('in the format of APISIX with its keyring, so that both read one store', async (t) => {
    const { port } = await fakeUpstream(t)
    const settings = {
      'gatewright.store': 'embedded',
      'apisix.data_encryption.keyring': ['edd1c9f0985e76a2'],
    }
    const gateway = await startGateway(
      t,
      { routes: { 1: guarded(port) }, consumers: { jack: consumer('marked-secret') } },
      { settings },
    )
    assert.equal(await statusWith(gateway, 'marked-secret'), 200)
    await gateway.stop()
    const store = await EmbeddedStore.open(`${gateway.directory}/store`, { logger: createLogger('silent') })
    const { plugins } = JSON.parse((await store.get('/apisix/consumers/jack'))!.value)
    await store.close()
    assert.match(plugins['key-auth'].key, /^[A-Za-z0-9+/]{22}==$/)
  })

  it('within what plugins hold of others too, but plain where an APISIX reads them', async (t) => {
    const { cert, key } = makeCertificate({ names: ['gateway'] })
    const split = {
      uri: '/split',
      plugins: {
        'traffic-split': {
          rules: [
            {
              weighted_upstreams: [
                { upstream: { nodes: { '127.0.0.1:1': 1 }, tls: { client_cert: cert, client_key: key } } },
              ],
            },
          ],
        },
      },
    }
    const limit = {
      ...{ count: 9, time_window: 60, policy: 'redis', redis_host: '127.0.0.1' },
      redis_password: 'marked-secret',
    }
    const flow = { uri: '/flow', plugins: { workflow: { rules: [{ actions: [['limit-count', limit]] }] } } }
    for (const keyring of [[], ['edd1c9f0985e76a2']]) {
      const settings = { 'gatewright.store': 'embedded', 'apisix.data_encryption.keyring': keyring }
      const gateway = await startGateway(t, { routes: { 1: split, 2: flow } }, { settings })
      const shown = [await gateway.admin('GET', 'routes/1'), await gateway.admin('GET', 'routes/2')]
      assert.match(JSON.stringify(shown), /PRIVATE KEY.*marked-secret/)
      await gateway.stop()
      const store = await EmbeddedStore.open(`${gateway.directory}/store`, { logger: createLogger('silent') })
      const { items } = await store.list('/apisix/routes')
      await store.close()
      const stored = items.map(({ value }) => value).join()
      assert.equal(/PRIVATE KEY/.test(stored), keyring.length > 0)
      assert.equal(/marked-secret/.test(stored), keyring.length > 0)
    }
  })

  it('that an APISIX with its default keyring has written are read', async (t) => {
    const key = 'qeddd145sfvddff3'
    const cipher = createCipheriv('aes-128-cbc', key, key)
    const sealed = cipher.update('from-apisix', 'utf8', 'base64') + cipher.final('base64')
    const store = new MemoryStore({ logger: createLogger('silent') })
    await store.put('/apisix/consumers/jack', JSON.stringify(consumer(sealed)).replaceAll('/', '\\/'))
    const { port } = await fakeUpstream(t)
    const gateway = await startGateway(t, { routes: { 1: guarded(port) } }, { store })
    assert.equal(await statusWith(gateway, 'from-apisix'), 200)
    assert.equal(await statusWith(gateway, sealed), 401)
  })
})
