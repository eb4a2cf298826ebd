import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { TestContext } from 'node:test'
import { createLogger } from '../../../src/observe/logger.ts'
import type { ConfigStore } from '../../../src/store/config-store.ts'
import { MemoryStore } from '../../../src/store/memory-store.ts'
import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { ADMIN_KEY, startGateway } from '../../../src/testing/start-gateway.ts'
import { makeCertificate } from '../../support/certificates.ts'

/** JSON with so many levels of objects. */
export const DEEP = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`

export const ROUTE = { uri: '/a', upstream_id: 'steady' }

/** A document of each kind that is taken, under which path its resources lie, and an id for it. */
export const GOOD: Readonly<
  Record<string, { readonly base: string; readonly id: string; readonly document: object }>
> = {
  routes: { base: '/routes', id: 'good', document: ROUTE },
  services: { base: '/services', id: 'good', document: { upstream_id: 'steady' } },
  upstreams: { base: '/upstreams', id: 'good', document: { nodes: { '127.0.0.1:1': 1 } } },
  ssls: { base: '/ssls', id: 'good', document: { sni: 'a.test', ...makeCertificate({ names: ['a.test'] }) } },
  consumers: { base: '/consumers', id: 'good', document: { username: 'good' } },
  credentials: {
    base: '/consumers/steady/credentials',
    id: 'good',
    document: { plugins: { 'key-auth': { key: 'of-the-good' } } },
  },
  consumer_groups: { base: '/consumer_groups', id: 'good', document: { plugins: {} } },
  plugin_configs: { base: '/plugin_configs', id: 'good', document: { plugins: {} } },
  global_rules: { base: '/global_rules', id: 'good', document: { plugins: {} } },
  plugin_metadata: { base: '/plugin_metadata', id: 'limit-count', document: {} },
  secrets: {
    base: '/secrets/vault',
    id: 'good',
    document: { uri: 'http://127.0.0.1:1', prefix: 'kv', token: 't' },
  },
  protos: { base: '/protos', id: 'good', document: { content: 'syntax = "proto3"; message A {}' } },
  stream_routes: {
    base: '/stream_routes',
    id: 'good',
    document: { upstream_id: 'steady', server_port: 9100 },
  },
}

/** Where the Admin API may write. */
const DIRECTORIES = [
  /^\/apisix\/gen_id$/,
  /^\/apisix\/(?:routes|services|upstreams|ssls|consumers|consumer_groups|plugin_configs|global_rules|plugin_metadata|protos|stream_routes)\/[a-zA-Z0-9_.-]{1,64}$/,
  /^\/apisix\/consumers\/[a-zA-Z0-9_-]+\/credentials\/[a-zA-Z0-9_.-]{1,64}$/,
  /^\/apisix\/secrets\/vault\/[a-zA-Z0-9_.-]{1,64}$/,
]

export interface Answered {
  readonly status: number
  readonly text: string
}

interface Quarantined {
  readonly kind: string
  readonly id: string
  readonly reason: string
  readonly older_version_serves: boolean
}

/** A gateway that serves `/steady`, and everything a test may look at. */
export interface Stage {
  readonly store: ConfigStore
  /** `127.0.0.1:PORT` of a node that answers. */
  readonly node: string
  readonly directories: readonly RegExp[]
  /** All lines of its log so far, as text. */
  logText(): string
  /** Sends the path as it is, with the administrator's key. A text goes as it is, anything else as JSON. */
  send(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string | undefined>,
  ): Promise<Answered>
  /** The status that the proxy answers with. */
  ask(path: string): Promise<number>
  /** `/steady` is answered, and so is the Admin API. */
  assertServing(): Promise<void>
  content(): Promise<Record<string, string>>
  keys(): Promise<string[]>
  quarantined(): Promise<Quarantined[]>
  settled(): Promise<void>
}

/** Real sockets, and a store that the test can also write past the Admin API. */
export async function stage(t: TestContext): Promise<Stage> {
  const node = await fakeUpstream(t)
  const store = new MemoryStore({ logger: createLogger('silent') })
  const started = await startGateway(
    t,
    {
      upstreams: { steady: { nodes: { [node.address]: 1 } } },
      consumers: { steady: { username: 'steady' } },
      routes: { steady: { uri: '/steady', upstream_id: 'steady' } },
    },
    { store, settings: { 'apisix.proxy_mode': 'http&stream' } },
  )
  const { admin, control } = started.addresses
  const send: Stage['send'] = (method, path, body, headers) =>
    exchange(`http://127.0.0.1:${admin!.port}`, {
      method,
      path: `/apisix/admin${path}`,
      body,
      headers: { 'x-api-key': ADMIN_KEY, ...headers },
    })
  const ask = async (path: string) => (await exchange(started.proxyUrl, { method: 'GET', path })).status
  const content = async () =>
    Object.fromEntries((await store.list('/apisix/')).items.map(({ key, value }) => [key, value]))
  return {
    store,
    node: node.address,
    directories: DIRECTORIES,
    logText: () => started.logs.map((line) => JSON.stringify(line)).join('\n'),
    send,
    ask,
    assertServing: async () => {
      assert.equal(await ask('/steady'), 200)
      assert.equal((await send('GET', '/routes/steady')).status, 200)
    },
    content,
    keys: async () => Object.keys(await content()),
    quarantined: async () => {
      const { text } = await exchange(`http://127.0.0.1:${control!.port}`, {
        method: 'GET',
        path: '/v1/sync',
      })
      return JSON.parse(text).quarantined
    },
    settled: () => started.gateway.settled(),
  }
}

interface Sent {
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly headers?: Record<string, string | undefined>
}

/** Without the changes that `fetch` makes to a path. */
async function exchange(origin: string, { method, path, body, headers = {} }: Sent): Promise<Answered> {
  const present = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  // Node sets no length for the methods that seldom have a body.
  const length = text === undefined ? {} : { 'content-length': Buffer.byteLength(text) }
  const sent = request(origin, { method, path, headers: { ...Object.fromEntries(present), ...length } })
  sent.end(text)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  let received = ''
  for await (const chunk of answer.setEncoding('utf8')) received += chunk
  return { status: answer.statusCode ?? 0, text: received }
}

/** A refusal that leaves everything as it was. */
export async function assertRefused(
  world: Stage,
  method: string,
  path: string,
  body: unknown,
): Promise<string> {
  const before = await world.content()
  const shown = await world.send(method, path, body)
  const what = `${method} ${path.slice(0, 80)} ${String(body).slice(0, 80)}`
  assert.ok(shown.status >= 400 && shown.status < 500, `${what}: ${shown.status} ${shown.text.slice(0, 200)}`)
  assert.deepEqual(await world.content(), before, `${what} changed something`)
  assert.equal(({} as { polluted?: unknown }).polluted, undefined)
  return shown.text
}
