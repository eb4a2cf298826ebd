import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { createLogger } from '../../src/observe/logger.ts'
import { definePlugin } from '../../src/plugin/definition.ts'
import { FileStore } from '../../src/store/file-store.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { startEtcd } from '../support/etcd.ts'
import { eventually } from '../support/watch-recording.ts'

async function reload({ addresses }: TestGateway): Promise<void> {
  const url = `http://127.0.0.1:${addresses.control!.port}/v1/plugins/reload`
  const response = await fetch(url, { method: 'PUT' })
  assert.equal(response.status, 200, await response.text())
}

describe('a list of plugins that is changed while the gateway runs', () => {
  it('reaches the nodes without admin API through etcd', async (t) => {
    const etcd = await startEtcd(t)
    const upstream = await fakeUpstream(t)
    const shared = { 'gatewright.store': 'etcd', 'deployment.etcd.host': [etcd.endpoint] }
    let list = ['proxy-rewrite']
    const control = await startGateway(
      t,
      {},
      {
        settings: { ...shared, 'deployment.role': 'control_plane', plugins: list },
        readPluginList: () => list,
      },
    )
    const data = await startGateway(t, {}, { settings: { ...shared, 'deployment.role': 'data_plane' } })
    const route = { uri: '/a', upstream: { nodes: { [upstream.address]: 1 } } }
    const refused = await control.admin('PUT', 'routes/1', { ...route, plugins: { 'request-id': {} } })
    assert.equal(refused.status, 400)

    list = ['proxy-rewrite', 'request-id']
    await reload(control)
    await control.put('routes', '1', { ...route, plugins: { 'request-id': {} } })
    const ask = () => fetch(`${data.proxyUrl}/a`)
    await eventually('the route at the data plane', async () => (await ask()).status === 200)
    assert.ok((await ask()).headers.has('x-request-id'))
  })

  it('comes from apisix.yaml where configuration is a file, and follows it', async (t) => {
    const upstream = await fakeUpstream(t)
    const path = join(mkdtempSync(join(tmpdir(), 'gatewright-plugin-list-')), 'apisix.yaml')
    t.after(() => rmSync(dirname(path), { recursive: true }))
    const write = (plugin: string) => {
      const route = `{id: 1, uri: /a, plugins: {request-id: {}}, upstream: {nodes: {"${upstream.address}": 1}}}`
      writeFileSync(path, `plugins: [{name: ${plugin}}]\nroutes: [${route}]\n#END\n`)
    }
    write('request-id')
    const { proxyUrl } = await startGateway(
      t,
      {},
      {
        store: new FileStore({ path, prefix: '', logger: createLogger('silent') }),
        settings: {
          'gatewright.store': 'auto',
          'deployment.role': 'data_plane',
          'deployment.role_data_plane.config_provider': 'yaml',
          plugins: ['proxy-rewrite'],
        },
      },
    )
    assert.ok((await fetch(`${proxyUrl}/a`)).headers.has('x-request-id'))
    write('proxy-rewrite')
    await eventually('the end of the route', async () => (await fetch(`${proxyUrl}/a`)).status === 404)
  })

  it('has its plugins released before the gateway has stopped, as those of the start', async (t) => {
    let isReleased = false
    const late = definePlugin<object>({
      name: 'late',
      priority: 1,
      schema: { type: 'object' },
      compile: (_config, host) => {
        host.own(async () => {
          await new Promise((resolve) => setTimeout(resolve, 30))
          isReleased = true
        })
        return {}
      },
    })
    const gateway = await startGateway(
      t,
      {},
      {
        plugins: { late: async () => ({ default: late }) },
        settings: { plugins: [] },
        readPluginList: () => ['late'],
      },
    )
    await reload(gateway)
    await gateway.put('global_rules', '1', { id: '1', plugins: { late: {} } })
    await gateway.stop()
    assert.ok(isReleased)
  })
})
