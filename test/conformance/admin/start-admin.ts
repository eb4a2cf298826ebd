import assert from 'node:assert/strict'
import { it } from 'node:test'
import fastify, { type LightMyRequestResponse } from 'fastify'
import { type AdminDeps, createAdminApi, type Dependent } from '../../../admin/api/index.ts'
import { createLogger } from '../../../src/observe/logger.ts'
import { ConfigError, definePlugin } from '../../../src/plugin/definition.ts'
import { PluginRegistry } from '../../../src/plugin/registry.ts'
import type { ConfigStore } from '../../../src/store/config-store.ts'
import { MemoryStore } from '../../../src/store/memory-store.ts'

export const ADMIN_KEY = 'the-key-of-an-administrator'
export const VIEWER_KEY = 'the-key-of-a-viewer'
/** Unix seconds at which every test happens. */
export const NOW = 1_700_000_000

const compile = () => ({})

/** A plugin with a required number, one that identifies consumers, and one with metadata. */
export const TEST_PLUGINS = {
  limit: definePlugin<{ count: number }>({
    name: 'test-limit',
    priority: 100,
    schema: {
      type: 'object',
      properties: {
        count: { type: 'integer', exclusiveMinimum: 0 },
        mode: { type: 'string', default: 'soft' },
      },
      required: ['count'],
    },
    check: ({ count }) => {
      if (count === 13) throw new ConfigError('count 13 brings bad luck')
    },
    compile,
  }),
  auth: definePlugin<object>({
    name: 'test-auth',
    priority: 2000,
    type: 'auth',
    schema: { type: 'object', properties: { hide: { type: 'boolean' } } },
    consumerSchema: { type: 'object', properties: { key: { type: 'string' } }, required: ['key'] },
    consumerKey: 'key',
    compile,
  }),
  log: definePlugin<object>({
    name: 'test-log',
    priority: 10,
    scope: 'global',
    schema: { type: 'object' },
    metadataSchema: {
      type: 'object',
      properties: { format: { type: 'object' }, size: { type: 'integer', default: 5 } },
      additionalProperties: false,
    },
    compile,
  }),
}

const REGISTRY = new PluginRegistry()
for (const plugin of Object.values(TEST_PLUGINS)) REGISTRY.register(plugin)

export interface Shown {
  readonly status: number
  /** Parsed when it is JSON. */
  readonly body: unknown
  readonly text: string
  readonly headers: LightMyRequestResponse['headers']
}

export interface Sent {
  readonly body?: unknown
  /** Instead of the administrator's key; `undefined` leaves a header out. */
  readonly headers?: Record<string, string | undefined>
  readonly remoteAddress?: string
}

export interface Admin {
  readonly store: ConfigStore
  /** What the graph answers to every question. */
  readonly dependents: Dependent[]
  /** Sends as administrator. A body that is no text or buffer goes as JSON. `path` starts below `/apisix/admin`. */
  send(method: string, path: string, sent?: Sent): Promise<Shown>
  /** Every key and value under the prefix, to show that nothing has changed. */
  content(): Promise<unknown>
}

/** The admin API on a store in memory, for one test. */
export async function startAdmin(overrides: Partial<AdminDeps> = {}): Promise<Admin> {
  const store = overrides.store ?? new MemoryStore({ logger: createLogger('silent') })
  const dependents: Dependent[] = []
  const app = fastify()
  await app.register(
    createAdminApi({
      store,
      prefix: '/apisix',
      plugins: REGISTRY,
      graph: { dependents: () => dependents },
      keys: [
        { key: ADMIN_KEY, role: 'admin', name: 'admin' },
        { key: VIEWER_KEY, role: 'viewer', name: 'viewer' },
        { key: '', role: 'admin', name: 'empty' },
      ],
      keyRequired: true,
      allowAdmin: ['127.0.0.0/24', '::1'],
      enableCors: true,
      hasStreams: true,
      version: '0.1.0',
      clock: { now: () => NOW * 1000 + 999 },
      logger: createLogger('silent'),
      ...overrides,
    }),
  )
  return {
    store,
    dependents,
    send: async (method, path, { body, headers = {}, remoteAddress } = {}) => {
      const response = await app.inject({
        method: method as 'GET',
        url: path.startsWith('//') ? path.slice(1) : `/apisix/admin${path}`,
        headers: withoutUndefined({ 'x-api-key': ADMIN_KEY, ...headers }),
        ...(remoteAddress && { remoteAddress }),
        ...(body !== undefined && { payload: isRaw(body) ? body : JSON.stringify(body) }),
      })
      return show(response)
    },
    content: async () => (await store.list('/')).items.map(({ key, value }) => [key, value]),
  }
}

function withoutUndefined(headers: Record<string, string | undefined>): Record<string, string> {
  const present = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return Object.fromEntries(present)
}

function isRaw(body: unknown): body is string | Buffer {
  return typeof body === 'string' || Buffer.isBuffer(body)
}

function show({ statusCode, payload, headers }: LightMyRequestResponse): Shown {
  const isJson = /^[[{]/.test(payload)
  return { status: statusCode, body: isJson ? JSON.parse(payload) : payload, text: payload, headers }
}

/** What stands in the store before a row's request. */
export type Given = Readonly<Record<string, unknown>>

/** One rule: the request, and the status and body it gets. A text stands for `{"error_msg": text}` when the status is an error. */
export interface Row {
  readonly rule: string
  readonly given?: Given
  readonly dependents?: readonly Dependent[]
  readonly request: readonly [method: string, path: string, body?: unknown]
  readonly headers?: Record<string, string | undefined>
  readonly status: number
  readonly answer?: unknown
  /** Headers of the answer. */
  readonly has?: Readonly<Record<string, string | undefined>>
  /** Nothing is stored although the answer is no error. */
  readonly isDry?: true
}

/** One test for each row. A row that is refused must leave the store as it was. */
export function checkRows(rows: readonly Row[], overrides: Partial<AdminDeps> = {}): void {
  for (const row of rows) {
    it(row.rule, async () => {
      const admin = await startAdmin(overrides)
      admin.dependents.push(...(row.dependents ?? []))
      for (const [key, value] of Object.entries(row.given ?? {})) {
        await admin.store.put(`/apisix/${key}`, typeof value === 'string' ? value : JSON.stringify(value))
      }
      const before = await admin.content()
      const [method, path, body] = row.request
      const shown = await admin.send(method, path, { body, ...(row.headers && { headers: row.headers }) })
      const { answer } = row
      const expected = typeof answer === 'string' && row.status >= 400 ? { error_msg: answer } : answer
      if (expected !== undefined) assert.deepEqual(shown.body, expected)
      assert.equal(shown.status, row.status, shown.text)
      for (const [name, value] of Object.entries(row.has ?? {}))
        assert.equal(shown.headers[name], value, name)
      if (row.status >= 400 || row.isDry) assert.deepEqual(await admin.content(), before, 'nothing changes')
    })
  }
}
