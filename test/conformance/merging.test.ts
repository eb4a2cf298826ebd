import assert from 'node:assert/strict'
import { request as send } from 'node:http'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { type Resources, startGateway } from '../../src/testing/start-gateway.ts'

/** A plugin whose configuration can be seen in the response. */
const marked = (from: string) => ({ 'response-rewrite': { headers: { set: { 'x-from': from } } } })
const other = { 'proxy-rewrite': { headers: { set: { 'x-other': 'yes' } } } }
const disabled = { 'response-rewrite': { ...marked('off')['response-rewrite'], _meta: { disable: true } } }
const auth = { 'key-auth': {} }
const jack = (extra: object = {}) => ({ username: 'jack', plugins: { 'key-auth': { key: 'k' } }, ...extra })
const jackWith = (plugins: object, extra: object = {}) =>
  jack({ plugins: { 'key-auth': { key: 'k' }, ...plugins }, ...extra })

/** Nodes by letter; each answers with its own. */
type Upstreams = Readonly<Record<'a' | 'b', { readonly nodes: Readonly<Record<string, number>> }>>

interface Row {
  readonly does: string
  readonly resources: (upstreams: Upstreams) => Resources
  /** Taken away with `?force=true` before the request. */
  readonly without?: string
  readonly host?: string
  readonly sees: {
    readonly status?: number
    readonly from?: string | null
    readonly global?: string | null
    readonly other?: boolean
    readonly body?: string
  }
}

/** Contract §4.6, and §6 for global rules. */
const ROWS: readonly Row[] = [
  {
    does: 'a plugin of the service runs for a route that has none of its name',
    resources: ({ a }) => ({
      services: { s: { upstream: a, plugins: marked('service') } },
      routes: { r: { uri: '/*', service_id: 's' } },
    }),
    sees: { from: 'service' },
  },
  {
    does: 'the route wins over its service, whose other plugins still run',
    resources: ({ a }) => ({
      services: { s: { upstream: a, plugins: { ...marked('service'), ...other } } },
      routes: { r: { uri: '/*', service_id: 's', plugins: marked('route') } },
    }),
    sees: { from: 'route', other: true },
  },
  {
    does: 'a plugin config wins over the service',
    resources: ({ a }) => ({
      services: { s: { upstream: a, plugins: marked('service') } },
      plugin_configs: { p: { plugins: marked('plugin_config') } },
      routes: { r: { uri: '/*', service_id: 's', plugin_config_id: 'p' } },
    }),
    sees: { from: 'plugin_config' },
  },
  {
    does: 'the route wins over its plugin config',
    resources: ({ a }) => ({
      plugin_configs: { p: { plugins: { ...marked('plugin_config'), ...other } } },
      routes: { r: { uri: '/*', upstream: a, plugin_config_id: 'p', plugins: marked('route') } },
    }),
    sees: { from: 'route', other: true },
  },
  {
    does: 'a plugin that the route disables does not run for the service either',
    resources: ({ a }) => ({
      services: { s: { upstream: a, plugins: marked('service') } },
      routes: { r: { uri: '/*', service_id: 's', plugins: disabled } },
    }),
    sees: { from: null },
  },
  {
    does: 'the consumer wins over the route',
    resources: ({ a }) => ({
      consumers: { jack: jackWith(marked('consumer')) },
      routes: { r: { uri: '/*', upstream: a, plugins: { ...auth, ...marked('route') } } },
    }),
    sees: { from: 'consumer' },
  },
  {
    does: 'the group wins over the route',
    resources: ({ a }) => ({
      consumer_groups: { g: { plugins: { ...marked('group'), ...other } } },
      consumers: { jack: jack({ group_id: 'g' }) },
      routes: { r: { uri: '/*', upstream: a, plugins: { ...auth, ...marked('route') } } },
    }),
    sees: { from: 'group', other: true },
  },
  {
    does: 'the consumer wins over its group',
    resources: ({ a }) => ({
      consumer_groups: { g: { plugins: marked('group') } },
      consumers: { jack: jackWith(marked('consumer'), { group_id: 'g' }) },
      routes: { r: { uri: '/*', upstream: a, plugins: auth } },
    }),
    sees: { from: 'consumer' },
  },
  {
    does: 'a global rule runs beside the route, also with the same plugin',
    resources: ({ a }) => ({
      global_rules: { g: { plugins: { 'response-rewrite': { headers: { set: { 'x-global': 'yes' } } } } } },
      routes: { r: { uri: '/*', upstream: a, plugins: marked('route') } },
    }),
    sees: { from: 'route', global: 'yes' },
  },
  {
    does: 'a global rule runs where no route matches',
    resources: ({ a }) => ({
      global_rules: { g: { plugins: { 'response-rewrite': { headers: { set: { 'x-global': 'yes' } } } } } },
      routes: { r: { uri: '/elsewhere', upstream: a } },
    }),
    sees: { status: 404, global: 'yes' },
  },
  {
    does: 'an upstream of the route wins over that of its service',
    resources: ({ a, b }) => ({
      services: { s: { upstream: a } },
      routes: { r: { uri: '/*', service_id: 's', upstream: b } },
    }),
    sees: { body: 'b' },
  },
  {
    does: 'an upstream of the route wins over the upstream id of its service',
    resources: ({ a, b }) => ({
      upstreams: { u: a },
      services: { s: { upstream_id: 'u' } },
      routes: { r: { uri: '/*', service_id: 's', upstream: b } },
    }),
    sees: { body: 'b' },
  },
  {
    does: 'an upstream id of the route wins over the upstream of its service',
    resources: ({ a, b }) => ({
      upstreams: { u: b },
      services: { s: { upstream: a } },
      routes: { r: { uri: '/*', service_id: 's', upstream_id: 'u' } },
    }),
    sees: { body: 'b' },
  },
  {
    does: 'an upstream id wins over an upstream beside it',
    resources: ({ a, b }) => ({
      upstreams: { u: b },
      routes: { r: { uri: '/*', upstream: a, upstream_id: 'u' } },
    }),
    sees: { body: 'b' },
  },
  {
    does: 'the hosts of the service count for a route without any',
    resources: ({ a }) => ({
      services: { s: { upstream: a, hosts: ['service.test'] } },
      routes: { r: { uri: '/*', service_id: 's' } },
    }),
    host: 'else.test',
    sees: { status: 404 },
  },
  {
    does: 'the hosts of the route stand in for those of its service',
    resources: ({ a }) => ({
      services: { s: { upstream: a, hosts: ['service.test'] } },
      routes: { r: { uri: '/*', service_id: 's', hosts: ['route.test'] } },
    }),
    host: 'route.test',
    sees: { status: 200 },
  },
  {
    does: 'without its service a route is not found',
    resources: ({ a }) => ({
      services: { s: { upstream: a } },
      routes: { r: { uri: '/*', service_id: 's' } },
    }),
    without: 'services/s',
    sees: { status: 404 },
  },
  {
    does: 'without its plugin config a route is unavailable',
    resources: ({ a }) => ({
      plugin_configs: { p: { plugins: {} } },
      routes: { r: { uri: '/*', upstream: a, plugin_config_id: 'p' } },
    }),
    without: 'plugin_configs/p',
    sees: { status: 503 },
  },
  {
    does: 'without its upstream a route is a bad gateway',
    resources: ({ a }) => ({
      upstreams: { u: a },
      routes: { r: { uri: '/*', upstream_id: 'u' } },
    }),
    without: 'upstreams/u',
    sees: { status: 502 },
  },
  {
    does: 'a route with no upstream at all is unavailable',
    resources: () => ({ routes: { r: { uri: '/*', plugins: {} } } }),
    sees: { status: 503 },
  },
  {
    does: 'without their group consumers are unavailable',
    resources: ({ a }) => ({
      consumer_groups: { g: { plugins: {} } },
      consumers: { jack: jack({ group_id: 'g' }) },
      routes: { r: { uri: '/*', upstream: a, plugins: auth } },
    }),
    without: 'consumer_groups/g',
    sees: { status: 503 },
  },
]

describe('what a request meets', () => {
  for (const { does, resources, without, host = 'any.test', sees } of ROWS) {
    it(does, async (t) => {
      const a = await fakeUpstream(t, (_request, response) => response.end('a'))
      const b = await fakeUpstream(t, (_request, response) => response.end('b'))
      const gateway = await startGateway(
        t,
        resources({ a: { nodes: { [a.address]: 1 } }, b: { nodes: { [b.address]: 1 } } }) as Resources,
      )
      if (without !== undefined) {
        const { status } = await gateway.admin('DELETE', `${without}?force=true`)
        assert.equal(status, 200)
      }
      const response = await request(gateway.proxyPort, host)
      const { status = 200, from, global, other: seesOther, body } = sees
      assert.equal(response.status, status)
      if (from !== undefined) assert.equal(response.headers.get('x-from'), from)
      if (global !== undefined) assert.equal(response.headers.get('x-global'), global)
      if (body !== undefined) assert.equal(await response.text(), body)
      if (seesOther) assert.equal(a.requests[0]?.headers['x-other'], 'yes')
    })
  }
})

/** As `fetch`, which lets nobody choose the host. */
function request(port: number, host: string): Promise<Response> {
  return new Promise((resolve, reject) => {
    send({ port, host: '127.0.0.1', path: '/', headers: { host, apikey: 'k' } }, async (answer) => {
      const chunks: Buffer[] = []
      for await (const chunk of answer) chunks.push(chunk as Buffer)
      const headers = new Headers(Object.entries(answer.headers) as [string, string][])
      resolve(new Response(Buffer.concat(chunks), { status: answer.statusCode!, headers }))
    })
      .on('error', reject)
      .end()
  })
}
