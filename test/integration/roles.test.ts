import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { startEtcd } from '../support/etcd.ts'
import { eventually } from '../support/watch-recording.ts'

type Role = 'traditional' | 'control_plane' | 'data_plane'

function start(t: TestContext, role: Role, settings: Record<string, unknown> = {}): Promise<TestGateway> {
  return startGateway(
    t,
    {},
    { settings: { 'gatewright.store': 'auto', 'deployment.role': role, ...settings } },
  )
}

async function statusOf({ proxyUrl }: TestGateway, path: string): Promise<number> {
  const response = await fetch(proxyUrl + path)
  await response.text()
  return response.status
}

async function readiness({ addresses }: TestGateway): Promise<number> {
  return (await fetch(`http://127.0.0.1:${addresses.status!.port}/status/ready`)).status
}

describe('roles', () => {
  it('traditional has a proxy and an admin API', async (t) => {
    const { port } = await fakeUpstream(t)
    const gateway = await start(t, 'traditional')
    await gateway.put('routes', '1', { uri: '/a', upstream: { nodes: { [`127.0.0.1:${port}`]: 1 } } })
    assert.equal(await statusOf(gateway, '/a'), 200)
  })

  it('a data plane on etcd serves what a control plane writes, and neither does the other’s work', async (t) => {
    const etcd = await startEtcd(t)
    const { port } = await fakeUpstream(t)
    const upstream = { nodes: { [`127.0.0.1:${port}`]: 1 } }
    const settings = { 'deployment.etcd.host': [etcd.endpoint], 'deployment.etcd.prefix': '/fleet' }
    const control = await start(t, 'control_plane', { ...settings, 'apisix.enable_admin': false })
    const data = await start(t, 'data_plane', { ...settings, 'apisix.enable_admin': true })

    assert.deepEqual(control.addresses.proxy, [])
    assert.equal(control.addresses.tls, undefined)
    assert.equal(data.addresses.admin, undefined)
    assert.deepEqual(await Promise.all([control, data].map(readiness)), [200, 200])

    const written = await control.admin('PUT', 'routes/1', { uri: '/a', upstream })
    assert.equal(written.status, 201)
    await eventually('the route', async () => (await statusOf(data, '/a')) === 200)
    await control.admin('PATCH', 'routes/1', { uri: '/b' })
    await eventually('the change', async () => (await statusOf(data, '/b')) === 200)
    assert.equal(await statusOf(data, '/a'), 404)
    await control.admin('DELETE', 'routes/1')
    await eventually('the end', async () => (await statusOf(data, '/b')) === 404)
  })

  for (const provider of ['yaml', 'json'] as const) {
    it(`a data plane with provider ${provider} serves a file, with no admin API whatever the settings say`, async (t) => {
      const { port } = await fakeUpstream(t)
      const text = `{"routes":[{"uri":"/a","upstream":{"nodes":{"127.0.0.1:${port}":1}}}]}`
      const gateway = await startGateway(
        t,
        {},
        {
          files: { [`apisix.${provider}`]: provider === 'yaml' ? `${text}\n#END\n` : text },
          settings: {
            'gatewright.store': 'auto',
            'apisix.enable_admin': true,
            'deployment.role': 'data_plane',
            'deployment.role_data_plane.config_provider': provider,
          },
        },
      )
      assert.equal(await statusOf(gateway, '/a'), 200)
      assert.equal(gateway.addresses.admin, undefined)
    })
  }

  it('traditional with provider yaml and no admin API serves the file too', async (t) => {
    const { port } = await fakeUpstream(t)
    const gateway = await startGateway(
      t,
      {},
      {
        files: {
          'apisix.yaml': `routes: [{uri: /a, upstream: {nodes: {"127.0.0.1:${port}": 1}}}]\n#END\n`,
        },
        settings: {
          'gatewright.store': 'auto',
          'apisix.enable_admin': false,
          'deployment.role_traditional.config_provider': 'yaml',
        },
      },
    )
    assert.equal(await statusOf(gateway, '/a'), 200)
    assert.equal(gateway.addresses.admin, undefined)
  })
})
