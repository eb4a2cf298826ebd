import type { TestContext } from 'node:test'
import { definePlugin } from '../../../src/plugin/definition.ts'
import {
  type Resources,
  type StartOptions,
  startGateway,
  type TestGateway,
} from '../../../src/testing/start-gateway.ts'

export interface Shown {
  readonly status: number
  /** Parsed when it is JSON. */
  readonly body: unknown
  readonly text: string
  readonly type: string | null
}

export interface Control extends TestGateway {
  /** Sends a request to the control API; `path` starts with `/v1`. */
  send(method: string, path: string): Promise<Shown>
}

/** A gateway and its control API. */
export async function startControl(
  t: Pick<TestContext, 'after'>,
  resources: Resources = {},
  options: StartOptions = {},
): Promise<Control> {
  const gateway = await startGateway(t, resources, { plugins: TEST_CATALOGUE, ...options })
  const { port } = gateway.addresses.control!
  return { ...gateway, send: (method, path) => send(`http://127.0.0.1:${port}${path}`, method) }
}

/** One request to any of the small listeners. */
export async function send(url: string, method = 'GET'): Promise<Shown> {
  const response = await fetch(url, { method })
  const text = await response.text()
  const type = response.headers.get('content-type')
  const body = type?.startsWith('application/json') ? JSON.parse(text) : text
  return { status: response.status, body, text, type }
}

/** Of `value` only what `like` has too, at any depth: what a row says nothing about is left out of the comparison. Arrays are whole. */
export function partOf(value: unknown, like: unknown): unknown {
  if (!isObject(value) || !isObject(like)) return value
  const shared = Object.keys(like).filter((key) => Object.hasOwn(value, key))
  return Object.fromEntries(shared.map((key) => [key, partOf(value[key], like[key])]))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const compile = () => ({})

/** Has defaults, a secret, metadata and more than one schema. */
export const talker = definePlugin<object>({
  name: 'test-talker',
  priority: 40,
  type: 'auth',
  scope: 'global',
  schema: {
    type: 'object',
    properties: {
      size: { type: 'integer', default: 5 },
      token: { type: 'string' },
      peers: { type: 'array', items: { type: 'object', properties: { token: { type: 'string' } } } },
    },
  },
  consumerSchema: { type: 'object', properties: { key: { type: 'string' } } },
  metadataSchema: {
    type: 'object',
    properties: { level: { type: 'integer', default: 3 }, token: { type: 'string' } },
  },
  secretFields: ['token', 'peers.token'],
  compile,
})

export const TEST_CATALOGUE = { 'test-talker': async () => ({ default: talker }) }
