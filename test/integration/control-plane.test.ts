import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { rawUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { fakeDns } from '../support/fake-dns.ts'

/** A gateway of that role with upstreams by name, through discovery, and with TLS; and what it did about them until they were served. */
async function start(t: TestContext, role: 'control_plane' | 'traditional') {
  const dns = await fakeDns(t)
  dns.set('A', 'node.test', ['127.0.0.1'])
  dns.set('A', 'service.test', ['127.0.0.1'])
  let connections = 0
  const port = (await rawUpstream(t, () => connections++)).split(':')[1]!
  const gateway = await startGateway(
    t,
    {
      upstreams: {
        named: { nodes: { [`node.test:${port}`]: 1 } },
        discovered: { discovery_type: 'dns', service_name: `service.test:${port}` },
        secure: { scheme: 'https', nodes: { [`127.0.0.1:${port}`]: 1 } },
        checked: { nodes: { [`127.0.0.1:${port}`]: 1 }, checks: { active: { type: 'tcp' } } },
      },
    },
    {
      settings: {
        'deployment.role': role,
        'apisix.enable_admin': true,
        'apisix.dns_resolver': [dns.address],
        'gatewright.store': 'memory',
      },
    },
  )
  const control = `http://127.0.0.1:${gateway.addresses.control!.port}`
  return {
    gateway,
    questions: () => dns.questions.toSorted(),
    connections: () => connections,
    warned: () =>
      gateway.logs.some(({ msg }) => String(msg).startsWith('the certificate of a node is not checked')),
    json: async (path: string) => (await fetch(`${control}${path}`)).json() as Promise<unknown>,
  }
}

describe('a control plane', () => {
  it('resolves no names, opens nothing toward nodes and finds nothing missing', async (t) => {
    const { gateway, questions, connections, warned, json } = await start(t, 'control_plane')
    assert.deepEqual(gateway.addresses.proxy, [])
    assert.deepEqual(await json('/v1/healthcheck'), [])
    assert.equal(Object.hasOwn((await json('/v1/sync')) as object, 'without_nodes'), false)
    assert.equal(((await json('/v1/upstreams')) as unknown[]).length, 4)
    await gateway.admin('DELETE', 'upstreams/named')
    await gateway.stop()
    assert.deepEqual([questions(), connections(), warned()], [[], 0, false])
  })

  it('does all that in one process with a data plane', async (t) => {
    const { questions, warned, json } = await start(t, 'traditional')
    assert.ok(questions().includes('A node.test') && questions().includes('A service.test'), `${questions()}`)
    assert.equal(warned(), true)
    assert.equal(((await json('/v1/healthcheck')) as unknown[]).length, 1)
    assert.deepEqual(await json('/v1/discovery/dns/dump'), {
      error_msg: 'discovery type "dns" is not configured, or has nothing to dump',
    })
  })
})
