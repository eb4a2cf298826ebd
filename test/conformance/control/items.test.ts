import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Resources } from '../../../src/testing/start-gateway.ts'
import { makeCertificate } from '../../support/certificates.ts'
import { type Control, partOf, startControl } from './start-control.ts'

const { cert, key } = makeCertificate({ names: ['gateway.test'] })
const secret = 'hush-hush'

const RESOURCES: Resources = {
  upstreams: {
    map: { nodes: { '10.0.0.1:81': 2 } },
    names: { nodes: [{ host: 'node.test', port: 82, weight: 1 }] },
    six: { nodes: { '[::1]:83': 1 } },
    tls: { scheme: 'https', nodes: { '10.0.0.1': 1 }, tls: { client_cert: cert, client_key: key } },
  },
  services: {
    '1': { upstream: { nodes: { '10.0.0.2:80': 1 } } },
    tls: {
      upstream: {
        scheme: 'https',
        nodes: { '10.0.0.2:443': 1 },
        tls: { client_cert: cert, client_key: key },
      },
    },
  },
  routes: {
    '1': { uri: '/1', service_id: '1' },
    inline: { uri: '/inline', upstream: { nodes: { 'node.test:80': 1 } } },
    plugin: {
      uri: '/plugin',
      upstream_id: 'map',
      plugins: { 'test-talker': { token: secret, peers: [{ token: secret }, {}] } },
    },
    reference: {
      uri: '/reference',
      upstream_id: 'map',
      plugins: { 'test-talker': { token: '$env://NO_SUCH_VARIABLE' } },
    },
  },
  plugin_metadata: { 'test-talker': { token: secret } },
}

/** One rule: a path below `/v1`, its status, and what the answer holds among other things. A text stands for `{"error_msg": text}`. */
type Row = readonly [rule: string, path: string, status: number, part: unknown]

const ROWS: readonly Row[] = [
  [
    'an upstream has the defaults of the schema and its nodes as an array',
    'upstream/map',
    200,
    {
      key: '/apisix/upstreams/map',
      has_domain: false,
      value: {
        id: 'map',
        nodes: [{ host: '10.0.0.1', port: 81, weight: 2 }],
        type: 'roundrobin',
        hash_on: 'vars',
        scheme: 'http',
        pass_host: 'pass',
      },
    },
  ],
  [
    'an upstream with a node by name has a domain; nodes that are an array stay one',
    'upstream/names',
    200,
    { has_domain: true, value: { nodes: [{ host: 'node.test', port: 82, weight: 1, priority: 0 }] } },
  ],
  [
    'an IPv6 node is no domain',
    'upstream/six',
    200,
    { has_domain: false, value: { nodes: [{ host: '[::1]', port: 83, weight: 1 }] } },
  ],
  [
    'a node without a port shows none',
    'upstream/tls',
    200,
    { value: { nodes: [{ host: '10.0.0.1', weight: 1 }] } },
  ],
  [
    'the key for nodes is masked, its certificate is not',
    'upstream/tls',
    200,
    { value: { tls: { client_cert: cert, client_key: '***' } } },
  ],
  [
    'a service shows its inline upstream with defaults and node array',
    'service/1',
    200,
    {
      key: '/apisix/services/1',
      has_domain: false,
      value: {
        id: '1',
        upstream: { nodes: [{ host: '10.0.0.2', port: 80, weight: 1 }], scheme: 'http', pass_host: 'pass' },
      },
    },
  ],
  [
    'the key for nodes of an inline upstream is masked',
    'service/tls',
    200,
    { value: { upstream: { tls: { client_cert: cert, client_key: '***', verify: false } } } },
  ],
  [
    'a route has its defaults and its references, not what they lead to',
    'route/1',
    200,
    {
      key: '/apisix/routes/1',
      has_domain: false,
      value: { id: '1', uri: '/1', service_id: '1', priority: 0, status: 1 },
    },
  ],
  [
    'a route whose inline upstream has a node by name has a domain',
    'route/inline',
    200,
    { has_domain: true },
  ],
  [
    'a plugin has its defaults, an empty _meta, and its secrets masked',
    'route/plugin',
    200,
    {
      value: {
        plugins: { 'test-talker': { size: 5, token: '***', peers: [{ token: '***' }, {}], _meta: {} } },
      },
    },
  ],
  [
    'a reference to a secret is shown: it gives nothing away',
    'route/reference',
    200,
    { value: { plugins: { 'test-talker': { token: '$env://NO_SUCH_VARIABLE' } } } },
  ],
  ['an unknown route', 'route/9', 404, 'route[9] not found'],
  ['an unknown service', 'service/x', 404, 'service[x] not found'],
  ['an unknown upstream', 'upstream/x', 404, 'upstream[x] not found'],
  ['an id that every object inherits', 'route/__proto__', 404, 'route[__proto__] not found'],
  ['an id with an escaped slash', 'route/a%2Fb', 404, 'route[a/b] not found'],
  [
    'metadata has its defaults, the name of its plugin and its secrets masked',
    'plugin_metadata/test-talker',
    200,
    { id: 'test-talker', level: 3, token: '***' },
  ],
  ['unknown metadata', 'plugin_metadata/x', 404, 'plugin metadata[x] not found'],
  ['a list without a name in its path', 'route', 404, '404 Not Found'],
  ['a kind that is not shown', 'consumers', 404, '404 Not Found'],
  ['keys and certificates are not shown at all', 'ssls', 404, '404 Not Found'],
  ['the root', '', 404, '404 Not Found'],
]

describe('what the control API shows of resources', () => {
  let control: Control
  const ends: (() => unknown)[] = []
  before(async () => {
    control = await startControl({ after: (end) => void ends.unshift(end as () => unknown) }, RESOURCES)
  })
  after(async () => {
    for (const end of ends) await end()
  })

  for (const [rule, path, status, part] of ROWS) {
    it(rule, async () => {
      const shown = await control.send('GET', `/v1/${path}`)
      assert.equal(shown.status, status, shown.text)
      assert.match(shown.type ?? '', /^application\/json/)
      if (typeof part === 'string') assert.deepEqual(shown.body, { error_msg: part })
      else assert.deepEqual(partOf(shown.body, part), part)
      assert.ok(!shown.text.includes(secret) && !shown.text.includes('PRIVATE KEY'), 'a secret is shown')
    })
  }

  for (const [kind, ids] of [
    ['routes', ['1', 'inline', 'plugin', 'reference']],
    ['services', ['1', 'tls']],
    ['upstreams', ['map', 'names', 'six', 'tls']],
  ] as const) {
    it(`all ${kind} come as an array of the same items, in the order they were made`, async () => {
      const all = (await control.send('GET', `/v1/${kind}`)).body as { value: { id: string } }[]
      assert.deepEqual(
        all.map(({ value }) => value.id),
        ids,
      )
      const word = kind.slice(0, -1)
      for (const item of all) {
        assert.deepEqual((await control.send('GET', `/v1/${word}/${item.value.id}`)).body, item)
      }
    })
  }

  it('an item has exactly the keys of the contract', async () => {
    const { body } = await control.send('GET', '/v1/route/1')
    const keys = ['createdIndex', 'has_domain', 'key', 'modifiedIndex', 'value']
    assert.deepEqual(Object.keys(body as object).sort(), keys)
  })

  it('an edit raises modifiedIndex and leaves createdIndex', async () => {
    const index = async () => (await control.send('GET', '/v1/service/1')).body as Record<string, number>
    const { createdIndex, modifiedIndex } = await index()
    await control.put('services', '1', { desc: 'edited', upstream: { nodes: { '10.0.0.2:80': 1 } } })
    const edited = await index()
    assert.equal(edited['createdIndex'], createdIndex)
    assert.ok(edited['modifiedIndex']! > modifiedIndex!)
  })

  it('all metadata comes as an array', async () => {
    const { body } = await control.send('GET', '/v1/plugin_metadatas')
    assert.deepEqual(body, [{ id: 'test-talker', level: 3, token: '***' }])
  })
})

describe('a control API with nothing to show', () => {
  it('has empty arrays, and an empty object where APISIX has one', async (t) => {
    const control = await startControl(t)
    for (const [path, body] of [
      ['routes', []],
      ['services', []],
      ['upstreams', []],
      ['plugin_metadatas', {}],
    ] as const) {
      const shown = await control.send('GET', `/v1/${path}`)
      assert.deepEqual([shown.status, shown.body], [200, body], path)
      assert.ok(shown.text.endsWith('\n'))
    }
  })
})
