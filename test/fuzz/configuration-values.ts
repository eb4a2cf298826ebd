import type { AnyPlugin } from '../../src/plugin/definition.ts'
import type { Random } from './mutations.ts'

type Document = Readonly<Record<string, unknown>>

/** Any of them. */
export const pick = <T>(values: readonly T[], random: Random): T =>
  values[Math.floor(random() * values.length)]!

const NODES = { '127.0.0.1:1980': 1, 'node.test:80': 2 }

/** Documents as people store them; plugins are put in besides. */
const DOCUMENTS: Readonly<Record<string, readonly Document[]>> = {
  routes: [
    {
      ...{ uri: '/a/*', methods: ['GET', 'POST'], host: '*.test', priority: 3, labels: { team: 'a' } },
      ...{
        vars: [['arg_a', '==', '1'], 'AND', ['http_b', '~~', '^x']],
        timeout: { connect: 1, send: 2, read: 3 },
      },
      upstream: { type: 'roundrobin', nodes: NODES, retries: 1 },
    },
    {
      ...{
        uris: ['/b', '/c/:id'],
        hosts: ['a.test', 'b.test'],
        remote_addrs: ['10.0.0.0/8'],
        service_id: 's',
      },
      ...{ upstream_id: 'u', plugin_config_id: 'p', enable_websocket: true, status: 1 },
    },
    { uri: '/f', filter_func: 'function(vars) return vars.arg_a == "1" end', upstream: { nodes: NODES } },
    { uri: '/g', filter_func: '(vars) => vars.arg_a === "1"', upstream: { nodes: NODES } },
  ],
  services: [{ name: 's', hosts: ['s.test'], upstream: { nodes: NODES }, enable_websocket: false }],
  upstreams: [
    {
      ...{
        type: 'chash',
        hash_on: 'header',
        key: 'x-user',
        nodes: [{ host: '10.0.0.1', port: 80, weight: 1, priority: 0 }],
      },
      ...{ scheme: 'https', pass_host: 'rewrite', upstream_host: 'n.test', tls: { verify: true } },
      ...{
        keepalive_pool: { size: 3, idle_timeout: 5, requests: 10 },
        retry_timeout: 2,
        timeout: { connect: 1, send: 1, read: 1 },
      },
      checks: {
        active: {
          type: 'http',
          http_path: '/',
          healthy: { interval: 1 },
          unhealthy: { interval: 1, http_failures: 2 },
        },
        passive: { healthy: { successes: 2 }, unhealthy: { http_statuses: [500], tcp_failures: 2 } },
      },
    },
    { service_name: 'x', discovery_type: 'dns', type: 'least_conn' },
  ],
  consumers: [{ username: 'jack', group_id: 'g', desc: 'x' }],
  consumer_groups: [{ desc: 'g' }],
  plugin_configs: [{ desc: 'p' }],
  global_rules: [{}],
  protos: [
    {
      content:
        'syntax = "proto3"; package p; message M { string a = 1; } service S { rpc Get (M) returns (M) {} }',
    },
  ],
  ssls: [
    {
      snis: ['a.test', '*.b.test'],
      cert: 'no certificate',
      key: 'no key',
      client: { ca: 'no ca', depth: 1 },
    },
  ],
  plugin_metadata: [{ log_format: { host: '$host' } }],
  stream_routes: [{ server_port: 9000, upstream: { nodes: NODES } }],
  'secrets/vault': [{ uri: 'http://127.0.0.1:8200', prefix: 'kv', token: 'x' }],
}

/** Where a value of that kind stands, such as `routes/7`. */
function pathOf(kind: string, { id, plugin }: { readonly id: string; readonly plugin: AnyPlugin }): string {
  return kind === 'plugin_metadata' ? `${kind}/${plugin.name}` : `${kind}/${id}`
}

/** A stored value, near to what is right or far from it. */
export function makeValue(
  plugins: readonly AnyPlugin[],
  id: string,
  random: Random,
): { readonly path: string; readonly text: string } {
  const kind = pick(random() < 0.5 ? ['routes'] : Object.keys(DOCUMENTS), random)
  const plugin = pick(plugins, random)
  const schema = (kind === 'consumers' && plugin.consumerSchema) || plugin.schema
  const isPlain = /^(upstreams|protos|ssls|plugin_metadata|secrets)/.test(kind) || random() < 0.3
  const document = {
    id,
    ...pick(DOCUMENTS[kind]!, random),
    ...(!isPlain && { plugins: { [plugin.name]: sampleOf(schema, random) } }),
    ...(kind === 'plugin_metadata' &&
      plugin.metadataSchema &&
      Object(sampleOf(plugin.metadataSchema, random))),
  }
  let mutated: unknown = structuredClone(document)
  for (let i = pick([0, 0, 0, 1, 1, 2, 5], random); i > 0; i--) mutated = mutate(mutated, random)
  const text = textOf(mutated)
  return { path: pathOf(kind, { id, plugin }), text: random() < 0.1 ? garble(text, random) : text }
}

interface Node {
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, Node>>
  readonly required?: readonly string[]
  readonly items?: Node
  readonly minimum?: number
  readonly anyOf?: readonly Node[]
  readonly oneOf?: readonly Node[]
  readonly then?: Node
}

const TEXTS = [
  'x',
  '/x',
  '^/(a|b)$',
  '127.0.0.1',
  'http://127.0.0.1:9',
  '10.0.0.0/8',
  '$http_a',
  'GET',
  '1',
] as const

/** What a person might write who has read half of the schema. */
function sampleOf(schema: object, random: Random): unknown {
  const node = schema as Node
  if (node.enum && random() < 0.9) return pick(node.enum, random)
  if (node.default !== undefined && random() < 0.3) return node.default
  const branch = node.oneOf ?? node.anyOf
  const own = ofType(node, random)
  if (!branch) return own
  const chosen = sampleOf(pick(branch, random), random)
  return isObject(own) && isObject(chosen) ? { ...own, ...chosen } : (chosen ?? own)
}

function ofType(node: Node, random: Random): unknown {
  const type = typeof node.type === 'string' ? node.type : pick(node.type ?? ['object'], random)
  switch (type) {
    case 'string':
      return pick(TEXTS, random)
    case 'integer':
    case 'number':
      return (node.minimum ?? 1) + Math.floor(random() * 3)
    case 'boolean':
      return random() < 0.5
    case 'array':
      return Array.from({ length: 1 + Math.floor(random() * 2) }, () => sampleOf(node.items ?? {}, random))
    default:
      return Object.fromEntries(
        Object.entries(node.properties ?? {})
          .filter(([name]) => node.required?.includes(name) || random() < 0.5)
          .map(([name, child]) => [name, sampleOf(child, random)]),
      )
  }
}

const NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
  'id',
  'plugins',
  '_meta',
  'nodes',
  '0',
] as const
const RAW = Symbol('text that is no value')

/** What stands where something else is wanted; a function makes what is too large to keep. */
const ODD: readonly (() => unknown)[] = [
  ...[
    null,
    true,
    0,
    -1,
    1.5,
    2 ** 53,
    '',
    ' ',
    'null',
    '\0',
    '\ud800',
    '../..',
    '(',
    '(a+)+$',
    '$secret://vault/x/y',
    '$env://HOME',
    [],
    {},
  ].map((value) => () => value),
  () => ({ [RAW]: '1e999' }),
  () => ({ [RAW]: '-0' }),
  () => 'x'.repeat(70_000),
  () => Array(300).fill('a'),
  () => Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, i])),
  () => ({ [RAW]: '['.repeat(2000) + ']'.repeat(2000) }),
  () => ({ [RAW]: `${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}` }),
  () => ({ [RAW]: '{"__proto__":{"polluted":true}}' }),
]

/** One change somewhere. */
function mutate(value: unknown, random: Random): unknown {
  if (!isObject(value) || RAW in value) return pick(ODD, random)()
  const names = Object.keys(value)
  if (names.length === 0 || random() < 0.15) return grown(value, random)
  const name = pick(names, random)
  const children = value as Record<string, unknown>
  if (random() < 0.6) return replaced(value, name, mutate(children[name], random))
  if (random() < 0.4 && !Array.isArray(value)) {
    return Object.fromEntries(names.filter((one) => one !== name).map((one) => [one, children[one]]))
  }
  return replaced(value, name, random() < 0.5 ? pick(ODD, random)() : children[pick(names, random)])
}

function grown(value: object, random: Random): unknown {
  const odd = pick(ODD, random)()
  if (Array.isArray(value)) return [...value, odd]
  return Object.defineProperty({ ...value }, pick(NAMES, random), {
    value: odd,
    enumerable: true,
    configurable: true,
  })
}

function replaced(value: object, name: string, child: unknown): unknown {
  if (Array.isArray(value)) return value.with(Number(name), child)
  return Object.defineProperty({ ...value }, name, { value: child, enumerable: true, configurable: true })
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join()}]`
  if (!isObject(value)) return JSON.stringify(value) ?? 'null'
  if (RAW in value) return String((value as { [RAW]: unknown })[RAW])
  return `{${Object.entries(value)
    .map(([name, child]) => `${JSON.stringify(name)}:${textOf(child)}`)
    .join()}}`
}

/** No JSON any more, or other JSON. */
function garble(text: string, random: Random): string {
  const at = Math.floor(random() * text.length)
  const rest = text.slice(at + 1)
  return pick(
    [
      () => text.slice(0, at),
      () => text.slice(0, at) + pick(['"', '{', ']', ',', '\\', '\0', '\ufeff', '/*'], random) + rest,
      () => text.slice(0, at) + rest,
      () => text + text,
      () => `\ufeff${text}`,
    ],
    random,
  )()
}
