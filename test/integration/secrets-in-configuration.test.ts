import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { BACKGROUND_CLOCK } from '../../src/lib/clock.ts'
import { createLogger } from '../../src/observe/logger.ts'
import { createMetricRegistry } from '../../src/observe/metric-registry.ts'
import { definePlugin } from '../../src/plugin/definition.ts'
import { decryptDocument, encryptDocument } from '../../src/secret/encrypted-fields.ts'
import { createFieldCipher } from '../../src/secret/field-cipher.ts'
import { createHttpFetch } from '../../src/secret/http-fetch.ts'
import { SecretCache } from '../../src/secret/secret-cache.ts'
import { type CompileWorld, compileWorld } from '../support/compile-world.ts'
import { type FakeSecretServer, fakeSecretServer } from '../support/fake-secret-server.ts'
import { eventually } from '../support/watch-recording.ts'

const sending = definePlugin<{ token: string }>({
  name: 'sending',
  priority: 10,
  schema: { type: 'object', properties: { token: { type: 'string' } } },
  secretFields: ['token'],
  compile: () => ({ access: () => undefined }),
})

const upstream = { nodes: { '127.0.0.1:1980': 1 } }
const route = { uri: '/a', upstream, plugins: { sending: { token: '$secret://vault/1/jack/key' } } }
const secretFieldsOf = (name: string) => (name === 'sending' ? ['token'] : [])
const cipher = createFieldCipher({
  isEnabled: true,
  keyring: [],
  isOwnWriter: true,
  ownKey: Buffer.alloc(32, 1),
})

interface Scene {
  readonly world: CompileWorld
  readonly vault: FakeSecretServer
  /** What Vault has under `jack`; undefined is nothing. */
  readonly held: { key: string | undefined }
  /** The resource of this Vault, as it is stored. */
  manager(note?: string): object
}

async function openScene(t: TestContext): Promise<Scene> {
  const held: Scene['held'] = { key: 'one' }
  const vault = await fakeSecretServer(t, ({ headers }) => {
    if (headers['x-vault-token'] !== 'vault-token') return { status: 403 }
    return held.key === undefined ? { status: 404 } : { json: { data: { key: held.key } } }
  })
  const secrets = new SecretCache({
    env: {},
    fetch: createHttpFetch(),
    clock: BACKGROUND_CLOCK,
    logger: createLogger('silent'),
    metrics: createMetricRegistry(),
    ttlMs: 300_000,
    negativeTtlMs: 60_000,
    count: 512,
    negativeCount: 512,
    onChange: (references) => world.publisher.onSecrets(references),
  })
  t.after(() => secrets.close())
  const decrypt = (ref: { kind: string; id: string }, document: Readonly<Record<string, unknown>>) =>
    decryptDocument(ref, document, { cipher, secretFieldsOf })
  const world = compileWorld([sending], { secrets, decrypt })
  const manager = (note = '') => {
    const plain = { uri: vault.url, prefix: `kv${note}`, token: 'vault-token' }
    const stored = encryptDocument({ kind: 'secrets', id: 'vault/1' }, plain, { cipher, secretFieldsOf })
    assert.doesNotMatch(JSON.stringify(stored), /vault-token/)
    return stored
  }
  return { world, vault, held, manager }
}

/** The token that requests of the route are served with; undefined while its plugin lets nothing pass. */
function tokenIn({ match }: CompileWorld): unknown {
  const chain = match('/a')?.chain
  assert.ok(chain, 'the route is published')
  return chain.rewrite.length === 0 ? chain.instances[0]?.config['token'] : undefined
}

function untilTokenIs(world: CompileWorld, expected: unknown): Promise<void> {
  return eventually(`the token ${expected} is in use`, () => tokenIn(world) === expected)
}

describe('configuration that refers to Vault', () => {
  it('is published with the secret, by way of a manager whose token is stored encrypted', async (t) => {
    const { world, vault, manager } = await openScene(t)
    await world.write({ 'secrets/vault/1': manager(), 'routes/1': route })
    assert.equal(tokenIn(world), 'one')
    assert.equal(vault.calls.length, 1)
  })

  it('lets nothing pass until its manager is there, and serves by itself then', async (t) => {
    const { world, manager } = await openScene(t)
    await world.write({ 'routes/1': route })
    assert.equal(tokenIn(world), undefined)
    await world.write({ 'secrets/vault/1': manager() })
    await untilTokenIs(world, 'one')
  })

  it('takes a new value, and none that is gone', async (t) => {
    const { world, held, manager } = await openScene(t)
    await world.write({ 'secrets/vault/1': manager(), 'routes/1': route })
    held.key = 'two'
    await world.write({ 'secrets/vault/1': manager('/2') })
    await untilTokenIs(world, 'two')
    held.key = undefined
    await world.write({ 'secrets/vault/1': manager('/3') })
    await untilTokenIs(world, undefined)
  })

  it('is closed when its manager is deleted', async (t) => {
    const { world, manager } = await openScene(t)
    await world.write({ 'secrets/vault/1': manager(), 'routes/1': route })
    await world.write({ 'secrets/vault/1': undefined })
    await untilTokenIs(world, undefined)
  })

  it('may hold a field that was encrypted when it was written', async (t) => {
    const { world } = await openScene(t)
    const plain = { ...route, plugins: { sending: { token: 'plain-token' } } }
    const stored = encryptDocument({ kind: 'routes', id: '1' }, plain, { cipher, secretFieldsOf })
    assert.doesNotMatch(JSON.stringify(stored), /plain-token/)
    await world.write({ 'routes/1': stored })
    assert.equal(tokenIn(world), 'plain-token')
  })
})
