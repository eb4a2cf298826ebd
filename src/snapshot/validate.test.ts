import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KINDS } from '../model/kind.ts'
import type { Reference } from './check-steps.ts'
import { checkResource, checkWithReferences, type PluginChecker } from './validate.ts'

const plugins: PluginChecker = {
  check: (name) => (name === 'known' ? undefined : `unknown plugin [${name}]`),
  get: () => undefined,
}

describe('checkResource', () => {
  it('takes references to be there', () => {
    const route = { uri: '/a', upstream_id: 1, service_id: 'x', plugin_config_id: 'y' }
    assert.equal(checkResource('routes', route, { plugins }), undefined)
  })

  it('goes on to what stands after a reference', () => {
    const route = { uri: '/a', upstream_id: 1, plugins: { nope: {} } }
    assert.equal(checkResource('routes', route, { plugins }), 'unknown plugin [nope]')
  })

  it('fills the defaults into the value', () => {
    const upstream: { nodes: object; type?: string } = { nodes: {} }
    checkResource('upstreams', upstream, { plugins })
    assert.equal(upstream.type, 'roundrobin')
  })

  it('refuses a remote address that is a reference: nothing resolves it there', () => {
    for (const address of [
      { remote_addr: '$env://HOME' },
      { remote_addrs: ['10.0.0.0/8', '$secret://vault/1/a'] },
    ]) {
      const message = checkResource('routes', { uri: '/a', upstream_id: 1, ...address }, { plugins })
      assert.match(message ?? '', /^invalid configuration: remote_addr: invalid ip address: \$/)
    }
  })

  for (const value of [undefined, null, 1, 'text', [1]]) {
    it(`refuses ${JSON.stringify(value)} for every kind`, () => {
      for (const kind of KINDS) {
        const message = checkResource(kind, value, { plugins, id: kind === 'secrets' ? 'vault/1' : 'known' })
        assert.match(message ?? '', /^invalid configuration: wrong type: expected object, got /, kind)
      }
    })
  }

  it('knows the name of metadata from its key when the document does not say it', () => {
    const named: PluginChecker = { ...plugins, get: (name) => (name === 'known' ? {} : undefined) }
    assert.equal(checkResource('plugin_metadata', {}, { plugins: named, id: 'known' }), undefined)
    assert.equal(checkResource('plugin_metadata', { id: 'known' }, { plugins: named }), undefined)
    assert.equal(checkResource('plugin_metadata', {}, { plugins: named }), 'missing plugin name')
  })
})

describe('checkWithReferences', () => {
  it('asks for references in the order of the contract and stops at the first that is missing', async () => {
    const asked: string[] = []
    const exists = async ({ directory, id }: Reference) => {
      asked.push(`${directory}/${id}`)
      return directory !== 'services'
    }
    const upstream = { nodes: { 'a:80': 1 }, tls: { client_cert_id: 'c' } }
    const route = {
      uri: '/a',
      upstream,
      upstream_id: 1,
      service_id: 2,
      plugin_config_id: 3,
      plugins: { nope: {} },
    }
    assert.equal(
      await checkWithReferences('routes', route, { plugins, exists }),
      'failed to fetch service info by service id [2], response code: 404',
    )
    // The ssl first for being there, then for being of type client.
    assert.deepEqual(asked, ['ssls/c', 'ssls/c', 'upstreams/1', 'services/2'])
  })

  it('passes on what prevented the question', async () => {
    const exists = () => Promise.reject(new Error('store is down'))
    await assert.rejects(
      checkWithReferences('services', { upstream_id: 1 }, { plugins, exists }),
      /store is down/,
    )
  })
})
