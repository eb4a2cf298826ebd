import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { makeCertificate } from '../../test/support/certificates.ts'
import { compileWorld } from '../../test/support/compile-world.ts'
import { ConfigError, definePlugin } from '../plugin/definition.ts'
import type { SecretAnswer } from '../secret/secret-source.ts'
import type { SecretKeeper } from './secret-links.ts'

const upstream = { nodes: { '127.0.0.1:1980': 1 } }
const REFERENCE = '$secret://vault/1/app/token'

/** Secrets that are there once somebody asked, and what was asked of them. */
class KnownSecrets implements SecretKeeper {
  readonly known: Map<string, string>
  readonly managers = new Map<string, unknown>()
  readonly asked = new Set<string>()
  readonly retained: string[] = []

  constructor(known: Record<string, string> = {}) {
    this.known = new Map(Object.entries(known))
  }

  read(reference: string): SecretAnswer {
    const value = this.asked.has(reference) ? this.known.get(reference) : undefined
    return value === undefined ? { ok: false, reason: 'it is not there' } : { ok: true, value }
  }

  async ask(references: Iterable<string>): Promise<void> {
    for (const reference of references) this.asked.add(reference)
  }

  setManager(id: string, config: unknown): void {
    this.managers.set(id, config)
  }

  deleteManager(id: string): void {
    this.managers.delete(id)
  }

  retain(references: Iterable<string>): void {
    this.retained.push(...references)
  }

  release(references: Iterable<string>): void {
    for (const reference of references) this.retained.splice(this.retained.indexOf(reference), 1)
  }
}

const tokens: unknown[] = []
const sending = definePlugin<{ token: string }>({
  name: 'sending',
  priority: 10,
  schema: { type: 'object', properties: { token: { type: 'string', maxLength: 5 } } },
  compile({ token }) {
    tokens.push(token)
    return { access: () => undefined }
  },
})

const quoting = definePlugin<{ token: string }>({
  name: 'quoting',
  priority: 10,
  schema: { type: 'object', properties: { token: { type: 'string' } } },
  compile({ token }) {
    throw new ConfigError(`${token} is no token`)
  },
})

const auth = definePlugin<Record<string, never>>({
  name: 'test-auth',
  type: 'auth',
  priority: 2500,
  schema: { type: 'object' },
  consumerSchema: { type: 'object', properties: { key: { type: 'string' } }, required: ['key'] },
  consumerKey: 'key',
  compile: () => ({}),
})

const route = { uri: '/a', upstream, plugins: { sending: { token: REFERENCE } } }

describe('secrets in configuration', () => {
  it('are there when what needs them is compiled', async () => {
    const secrets = new KnownSecrets({ [REFERENCE]: 'one' })
    const world = compileWorld([sending], { secrets })
    await world.write({ 'routes/1': route })
    assert.equal(world.match('/a')?.chain.instances[0]?.config['token'], 'one')
    await world.write({ 'routes/1': { ...route, desc: 'edited' } })
    assert.deepEqual(secrets.retained, [REFERENCE])
    await world.write({ 'routes/1': undefined })
    assert.deepEqual(secrets.retained, [])
  })

  it('are found in what APISIX stored, with its escaped slashes', async () => {
    const secrets = new KnownSecrets({ [REFERENCE]: 'one' })
    const world = compileWorld([sending], { secrets })
    await world.write({ 'routes/1': JSON.stringify(route).replaceAll('/', '\\/') })
    assert.equal(world.match('/a')?.chain.instances[0]?.config['token'], 'one')
  })

  it('are found however JSON spells them', async () => {
    for (const [plain, escaped] of [
      ['$', '\\u0024'],
      ['secret:', '\\u0073ecret:'],
      ['://', ':\\u002f\\/'],
      ['://', '\\u003A//'],
    ] as const) {
      const world = compileWorld([sending], { secrets: new KnownSecrets({ [REFERENCE]: 'one' }) })
      await world.write({ 'routes/1': JSON.stringify(route).replace(plain, escaped) })
      assert.equal(world.match('/a')?.chain.instances[0]?.config['token'], 'one', escaped)
    }
  })

  it('may be the certificate, key and authority of an ssl, which refuses its names without them', async () => {
    const [ca, key] = ['$secret://vault/1/tls/ca', '$secret://vault/1/tls/key']
    const pair = makeCertificate({ names: ['a.test'] })
    const secrets = new KnownSecrets({ [ca]: pair.cert, [key]: pair.key })
    const world = compileWorld([], { secrets })
    const find = () => world.publisher.current.certificates.find('a.test')
    await world.write({ 'ssls/1': { sni: 'a.test', cert: pair.cert, key, client: { ca } } })
    assert.deepEqual([find()?.options.key, find()?.clientCheck?.trust], [[pair.key], `1 ${pair.cert}`])
    secrets.known.delete(ca)
    world.publisher.onSecrets(new Set([ca]))
    await world.publisher.settled()
    assert.match(find()!.refusal!, /^client\.ca refers to \$secret:\/\/vault\/1\/tls\/ca/)
    secrets.known.set(ca, makeCertificate({ names: ['other'] }).cert)
    world.publisher.onSecrets(new Set([ca]))
    await world.publisher.settled()
    assert.equal(find()?.refusal, undefined)
    assert.notEqual(find()?.clientCheck?.trust, `1 ${pair.cert}`)
  })

  it('take effect when they change, and only where they are used', async () => {
    const secrets = new KnownSecrets({ [REFERENCE]: 'one' })
    const world = compileWorld([sending], { secrets })
    await world.write({ 'routes/1': route, 'routes/2': { ...route, uri: '/b', plugins: { sending: {} } } })
    const other = world.match('/b')
    secrets.known.set(REFERENCE, 'two')
    world.publisher.onSecrets(new Set([REFERENCE]))
    await world.publisher.settled()
    assert.equal(world.match('/a')?.chain.instances[0]?.config['token'], 'two')
    assert.equal(world.match('/b'), other)
    assert.equal(world.instances.size, 2)
  })

  it('that are not to be had leave the plugin unusable, and never the reference in its place', async () => {
    tokens.length = 0
    const secrets = new KnownSecrets()
    const world = compileWorld([sending], { secrets })
    await world.write({ 'routes/1': route })
    const [blocked] = world.match('/a')!.chain.rewrite
    assert.deepEqual(blocked?.phases.rewrite?.(undefined as never), { status: 503 })
    assert.deepEqual(tokens, [])
    secrets.known.set(REFERENCE, 'late')
    world.publisher.onSecrets(new Set([REFERENCE]))
    await world.publisher.settled()
    assert.deepEqual(tokens, ['late'])
    assert.equal(world.match('/a')!.chain.rewrite.length, 0)
  })

  it('stand in no reason for which a configuration is refused', async () => {
    const world = compileWorld([quoting], { secrets: new KnownSecrets({ [REFERENCE]: 'hunter2' }) })
    await world.write({ 'routes/1': { ...route, plugins: { quoting: { token: REFERENCE } } } })
    assert.equal(world.publisher.status.quarantined[0]?.reason, `${REFERENCE} is no token`)
  })

  it('identify consumers', async () => {
    const secrets = new KnownSecrets({ [REFERENCE]: 'k1' })
    const world = compileWorld([auth], { secrets })
    await world.write({
      'consumers/jack': { username: 'jack', plugins: { 'test-auth': { key: REFERENCE } } },
    })
    const find = (key: string) => world.publisher.current.consumers.findConsumer('test-auth', key)?.view.name
    assert.equal(find('k1'), 'jack')
    assert.equal(find(REFERENCE), undefined)
    secrets.known.delete(REFERENCE)
    world.publisher.onSecrets(new Set([REFERENCE]))
    await world.publisher.settled()
    assert.equal(find('k1'), undefined)
    assert.equal(find(REFERENCE), undefined)
  })

  it('keep an upstream from being used that needs them', async () => {
    const world = compileWorld([], { secrets: new KnownSecrets() })
    const tls = { client_cert: '$env://CERT', client_key: '$env://KEY' }
    await world.write({ 'upstreams/u': { ...upstream, scheme: 'https', tls } })
    assert.match(world.publisher.status.quarantined[0]!.reason, /^tls\.client_cert refers to \$env:\/\/CERT/)
  })

  it('come from the managers that are stored', async () => {
    const secrets = new KnownSecrets()
    const world = compileWorld([], { secrets })
    const vault = { uri: 'http://127.0.0.1:8200', prefix: 'kv', token: 't' }
    await world.write({ 'secrets/vault/1': vault })
    assert.deepEqual(secrets.managers.get('vault/1'), vault)
    await world.write({ 'secrets/vault/1': undefined })
    assert.equal(secrets.managers.size, 0)
  })
})
