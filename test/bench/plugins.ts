import { pathToFileURL } from 'node:url'
import { catalogue } from '../../plugins/catalogue.ts'
import { loadNamed } from '../../src/gateway/load-plugins.ts'
import { createMetricRegistry } from '../../src/observe/metric-registry.ts'
import { buildChain, type Chain } from '../../src/plugin/chain.ts'
import { type Context, Response } from '../../src/plugin/context/context.ts'
import { HeaderList } from '../../src/plugin/context/header-list.ts'
import type { FoundConsumer } from '../../src/plugin/context/request-context.ts'
import { InstanceFactory } from '../../src/plugin/instance.ts'
import { PluginRegistry } from '../../src/plugin/registry.ts'
import { collectBodyFilters, runHeaderFilters, runLog, runRequestPhase } from '../../src/plugin/run.ts'
import { filterChunk, filterEnd } from '../../src/proxy/body-filters.ts'
import { DEFAULTS } from '../../src/settings/defaults.ts'
import { instanceEnvironment } from '../../src/testing/instance-environment.ts'
import { makeContext, type RequestInit } from '../../src/testing/plugin-request.ts'
import { signatureHeader } from '../support/hmac.ts'
import { signToken } from '../support/jwt.ts'
import { median } from './statistics.ts'

const RUNS = 31
const REQUESTS_PER_RUN = 2_000
/** Held at the same time: many would outlive collections of garbage that requests in a gateway do not. */
const BATCH = 100
/** Those of which the aim says "below 2 µs". */
const AIM_US = 2
const WITH_AIM: ReadonlySet<string> = new Set([
  ...['key-auth', 'limit-count', 'request-id', 'cors', 'ip-restriction', 'proxy-rewrite', 'prometheus'],
])

interface Case {
  readonly config: Readonly<Record<string, unknown>>
  readonly request?: RequestInit
  /** What the one consumer has configured for the plugin. */
  readonly consumer?: Readonly<Record<string, unknown>>
}

const JACK = 'auth-one'
const BASIC = `Basic ${Buffer.from('jack:secret').toString('base64')}`
const SECRET = 'a secret of thirty-two bytes, ok'
const DATE = new Date().toUTCString()
const SIGNED = signatureHeader({ keyId: 'jack', secret: SECRET, lines: [`date: ${DATE}`] })
const ORIGIN = { origin: 'https://shop.example.com' }

/** Each with a configuration as people write it, and a request that passes. What waits for others (redis, services) is not here. */
const CASES: Readonly<Record<string, Case>> = {
  'basic-auth': {
    config: {},
    request: { headers: { authorization: BASIC } },
    consumer: { username: 'jack', password: 'secret' },
  },
  'client-control': { config: { max_body_size: 1000 } },
  'consumer-restriction': { config: { type: 'route_id', whitelist: ['r1'] } },
  cors: {
    config: { allow_origins: 'https://shop.example.com', allow_methods: 'GET,POST' },
    request: { headers: ORIGIN },
  },
  csrf: { config: { key: 'edd1c9f034335f136f87ad84b625c8f1' } },
  echo: { config: { before_body: 'x', headers: { 'X-Echo': '1' } } },
  'error-page': { config: {} },
  'fault-injection': { config: { abort: { http_status: 503, percentage: 0 } } },
  'hmac-auth': {
    config: {},
    request: { headers: { date: DATE, authorization: SIGNED } },
    consumer: { key_id: 'jack', secret_key: SECRET },
  },
  'ip-restriction': { config: { whitelist: ['192.0.2.0/24', '10.0.0.0/8', '2001:db8::/32'] } },
  'jwt-auth': {
    config: {},
    request: {
      headers: { authorization: `Bearer ${signToken('HS256', SECRET, { payload: { key: 'jack' } })}` },
    },
    consumer: {
      key: 'jack',
      secret: SECRET,
      algorithm: 'HS256',
      base64_secret: false,
      lifetime_grace_period: 0,
    },
  },
  'key-auth': {
    config: {},
    request: { headers: { apikey: JACK } },
    consumer: { key: JACK },
  },
  'limit-conn': { config: { conn: 100, burst: 50, default_conn_delay: 0.1, key: 'remote_addr' } },
  'limit-count': { config: { count: 1_000_000_000, time_window: 60, key: 'remote_addr' } },
  'limit-req': { config: { rate: 1_000_000_000, burst: 1, key: 'remote_addr' } },
  opentelemetry: { config: { sampler: { name: 'trace_id_ratio', options: { fraction: 0.01 } } } },
  prometheus: { config: {} },
  'proxy-rewrite': {
    config: { regex_uri: ['^/orders/(.*)$', '/v2/orders/$1'], headers: { set: { 'X-Api': 'v2' } } },
  },
  'real-ip': {
    config: { source: 'http_x_forwarded_for', trusted_addresses: ['192.0.2.0/24'] },
    request: { headers: { 'x-forwarded-for': '198.51.100.7' } },
  },
  redirect: { config: { uri: '/elsewhere', ret_code: 302 } },
  'referer-restriction': {
    config: { whitelist: ['*.example.com'] },
    request: { headers: { referer: 'https://shop.example.com/a' } },
  },
  'request-id': { config: {} },
  'response-rewrite': { config: { headers: { set: { 'X-Served-By': 'gateway' } } } },
  'serverless-pre-function': {
    config: { functions: ['function (conf, ctx) { ctx.headers.set("X-Seen", "1") }'] },
  },
  'ua-restriction': {
    config: { denylist: ['(?i)curl', 'bot\\d+'] },
    request: { headers: { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64)' } },
  },
  'uri-blocker': { config: { block_rules: ['root.exe', '^/internal/'] } },
  zipkin: { config: { endpoint: 'http://127.0.0.1:1/api/v2/spans', sample_ratio: 0.00001 } },
}

const REQUEST_HEADERS = {
  'user-agent': 'curl/8.5.0',
  accept: '*/*',
  'accept-encoding': 'gzip, br',
  'x-forwarded-proto': 'https',
}
const BODY = Buffer.alloc(1024, 'x')
const CLOCK = { now: () => Date.now(), monotonic: () => performance.now() }
const ROUTE = {
  id: 'r1',
  name: 'orders',
  serviceId: undefined,
  serviceName: undefined,
  uri: '/orders/*',
  host: undefined,
}

/** Microseconds of all phases of one plugin for one request, beyond those of a request without plugins. */
export interface PluginBenchRow {
  readonly plugin: string
  readonly us: number
}

type Prepared = { readonly context: Context; readonly response: Response }

function prepare({ request = {}, consumer }: Case): Prepared[] {
  const found: FoundConsumer | undefined = consumer && {
    view: { name: 'jack', groupId: undefined, labels: undefined, credentialId: undefined },
    config: consumer,
  }
  const consumers = { findConsumer: () => found, findConsumerByName: () => undefined }
  return Array.from({ length: BATCH }, (_, index) => {
    const context = makeContext(
      {
        target: `/orders/${index}?page=2`,
        ...request,
        headers: { ...REQUEST_HEADERS, ...request.headers },
      },
      { consumers, monotonic: CLOCK.monotonic, defaultRoute: ROUTE },
    )
    // One object for all requests of a route, as the data path has it: what plugins keep by route is found again.
    context.route = ROUTE
    const headers = ['Content-Type', 'application/json', 'Content-Length', '1024', 'Date', 'Sat, 21 Nov 2026']
    return { context, response: new Response(200, new HeaderList(headers), 'upstream') }
  })
}

function report({ error }: { error: unknown }): never {
  throw error
}

/** One request through all phases, as the data path walks them. */
async function walk(chain: Chain, { context, response }: Prepared): Promise<void> {
  const phases = { context, report }
  let reply = runRequestPhase(chain.rewrite, 'rewrite', phases)
  if (reply instanceof Promise) reply = await reply
  if (!reply) reply = runRequestPhase(chain.access, 'access', phases)
  if (reply instanceof Promise) reply = await reply
  if (!reply) reply = runRequestPhase(chain.beforeProxy, 'beforeProxy', phases)
  if (reply instanceof Promise) await reply
  context.beginResponse(response)
  runHeaderFilters(chain.headerFilter, context, report)
  const filters = collectBodyFilters([chain], context, report)
  if (filters.length > 0) {
    filterChunk(filters as Parameters<typeof filterChunk>[0], BODY)
    filterEnd(filters as Parameters<typeof filterEnd>[0])
  }
  runLog(chain.log, context, report)
}

/** Microseconds per request, the median of the runs. */
async function timed(chain: Chain, one: Case): Promise<number> {
  const runs: number[] = []
  for (let run = 0; run < RUNS; run++) {
    let micros = 0
    for (let batch = 0; batch < REQUESTS_PER_RUN / BATCH; batch++) {
      const requests = prepare(one)
      const before = process.cpuUsage()
      for (const request of requests) await walk(chain, request)
      // Time of the processor: what else the machine does is none of the plugin's.
      const { user, system } = process.cpuUsage(before)
      micros += user + system
    }
    runs.push(micros / REQUESTS_PER_RUN)
  }
  return median(runs)
}

async function measure(name: string, one: Case): Promise<number> {
  const [loaded] = await loadNamed(catalogue, [name], DEFAULTS.plugin_attr)
  const registry = new PluginRegistry()
  registry.register(loaded!.definition)
  const environment = instanceEnvironment({
    registry,
    metrics: createMetricRegistry(),
    clock: CLOCK,
    attr: () => loaded!.attr,
  })
  const factory = new InstanceFactory(environment)
  const prepared = registry.prepare(name, structuredClone(one.config), 'resource')
  const instance = factory.create(prepared, { kind: 'routes', id: 'r1' })
  try {
    const chain = buildChain([instance])
    // In turns, so that what else the machine does meets both.
    const [before, cost, after] = [
      await timed(buildChain([]), one),
      await timed(chain, one),
      await timed(buildChain([]), one),
    ]
    return cost - (before + after) / 2
  } finally {
    await factory.dispose(instance)
    await environment.close()
  }
}

/** Measures every plugin that this version has a case for, and prints one table. */
export async function run(): Promise<PluginBenchRow[]> {
  const rows: PluginBenchRow[] = []
  for (const [plugin, one] of Object.entries(CASES)) {
    if (Object.hasOwn(catalogue, plugin)) rows.push({ plugin, us: await measure(plugin, one) })
  }
  console.log(`plugins: microseconds of processor time of all phases per request, median of ${RUNS} runs`)
  for (const { plugin, us } of rows.sort((a, b) => b.us - a.us)) {
    const aim = WITH_AIM.has(plugin) ? `  aim: below ${AIM_US}` : ''
    console.log(`  ${plugin.padEnd(26)}${us.toFixed(2).padStart(7)}${aim}`)
  }
  return rows
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await run()
