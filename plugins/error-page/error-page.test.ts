import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeUpstream, refusingAddress } from '../../src/testing/fake-upstream.ts'
import { mountPlugin } from '../../src/testing/mount-plugin.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import errorPage from './index.ts'

const metadata = {
  enable: true,
  error_404: { body: '<h1>nothing here</h1>' },
  error_502: { body: '{"sorry":true}', content_type: 'application/json' },
}

describe('error-page', () => {
  it("gives the gateway's own errors the page of their status", async () => {
    const answer = await mountPlugin(errorPage, {}, { metadata }).request({ upstream: 'refused' })
    assert.deepEqual([answer.status, answer.body], [502, '{"sorry":true}'])
    assert.deepEqual(answer.headers.raw(), ['Content-Type', 'application/json'])
  })

  it("leaves the upstream's errors and answers that have no page alone", async () => {
    const mounted = mountPlugin(errorPage, {}, { metadata })
    const upstream = { status: 404, body: 'mine', headers: { 'Content-Type': 'text/plain' } }
    const answer = await mounted.request({ upstream })
    assert.deepEqual([answer.body, answer.headers.get('content-type')], ['mine', 'text/plain'])
    mounted.setMetadata({ enable: true, error_404: { body: 'x' } })
    assert.equal((await mounted.request({ upstream: 'refused' })).body, 'error page 502')
  })

  it('does nothing unless enabled, and follows the metadata', async () => {
    const mounted = mountPlugin(errorPage, {})
    const body = async () => (await mounted.request({ upstream: 'refused' })).body
    assert.equal(await body(), 'error page 502')
    mounted.setMetadata({ ...metadata, enable: false })
    assert.equal(await body(), 'error page 502')
    mounted.setMetadata({ enable: true, error_502: { body: 'first' } })
    assert.equal(await body(), 'first')
    mounted.setMetadata({ enable: true, error_502: { body: 'second' } })
    assert.equal(await body(), 'second')
  })
})

describe('error-page in a gateway', () => {
  it('as a global rule has pages for what no route takes and for nodes that are not there', async (t) => {
    const node = await fakeUpstream(t, (_request, response) => response.writeHead(404).end('of the node'))
    const gateway = await startGateway(t, {
      plugin_metadata: { 'error-page': metadata as never },
      global_rules: { 1: { plugins: { 'error-page': {} } } },
      routes: {
        up: { uri: '/up', upstream: { nodes: { [node.address]: 1 } } },
        down: { uri: '/down', upstream: { nodes: { [await refusingAddress()]: 1 } } },
      },
    })
    const ask = async (path: string, method = 'GET') => {
      const response = await fetch(gateway.proxyUrl + path, { method })
      const { headers, status } = response
      return [status, headers.get('content-type'), headers.get('content-length'), await response.text()]
    }
    assert.deepEqual(await ask('/none'), [404, 'text/html', '21', '<h1>nothing here</h1>'])
    assert.deepEqual(await ask('/none', 'HEAD'), [404, 'text/html', '21', ''])
    assert.deepEqual(await ask('/down'), [502, 'application/json', '14', '{"sorry":true}'])
    assert.equal((await ask('/up'))[3], 'of the node')
  })

  it('refuses a content type that cannot stand in a header', async (t) => {
    const gateway = await startGateway(t)
    const bad = { error_404: { body: 'x', content_type: 'text/html\r\nEvil: 1' } }
    assert.equal((await gateway.admin('PUT', 'plugin_metadata/error-page', bad)).status, 400)
  })
})
