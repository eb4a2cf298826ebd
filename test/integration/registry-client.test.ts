import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createRegistration } from '../../src/registry-client/index.ts'
import { REGISTRY_KEY, type RegistryGateway, startRegistryGateway } from '../support/registry.ts'
import { eventually } from '../support/watch-recording.ts'

const NODE = { node_id: 'n1', endpoint: 'http://10.0.0.1:80', ttl_s: 5 }

async function agentsOf({ registry }: RegistryGateway): Promise<string[]> {
  const { body } = await registry('GET', 'agents?type=chat')
  return body.list.map(({ id }: { readonly id: string }) => id).sort()
}

/** A registration of these agents of the type `chat`, not started. */
function register(t: TestContext, gateway: RegistryGateway, keys: readonly string[]) {
  const registration = createRegistration({
    gateways: [gateway.adminUrl],
    key: REGISTRY_KEY,
    node: NODE,
    agents: keys.map((key) => ({ type: 'chat', key })),
  })
  t.after(() => registration.stop())
  return registration
}

describe('the client of the registry', () => {
  it('registers agents again that the gateway has lost, while its node lives on', async (t) => {
    const gateway = await startRegistryGateway(t)
    const registration = register(t, gateway, ['a', 'b'])
    await registration.start()
    const { body: before } = await gateway.registry('GET', 'nodes/n1')
    assert.equal((await gateway.registry('DELETE', 'agents/chat/b?node_id=n1')).status, 204)
    assert.deepEqual(await agentsOf(gateway), ['chat/a'])
    await eventually('both agents', async () => (await agentsOf(gateway)).length === 2, 30_000)
    assert.equal(registration.state, 'registered')
    const { body: after } = await gateway.registry('GET', 'nodes/n1')
    assert.equal(after.lease_id, before.lease_id)
  })

  it('takes out what a process before it, of the same node, had registered and it has not', async (t) => {
    const gateway = await startRegistryGateway(t)
    await gateway.registry('PUT', 'nodes/n1', { endpoint: NODE.endpoint, ttl_s: NODE.ttl_s })
    for (const key of ['a', 'of-before'])
      await gateway.registry('PUT', `agents/chat/${key}`, { node_id: 'n1' })
    await gateway.registry('PUT', 'nodes/n2', { endpoint: 'http://10.0.0.2:80' })
    await gateway.registry('PUT', 'agents/chat/of-another', { node_id: 'n2' })
    assert.equal((await agentsOf(gateway)).length, 3)
    await register(t, gateway, ['a', 'b']).start()
    const expected = ['chat/a', 'chat/b', 'chat/of-another']
    await eventually(
      expected.join(),
      async () => (await agentsOf(gateway)).join() === expected.join(),
      20_000,
    )
  })

  it('leaves alone what is registered at its node by others later', async (t) => {
    const gateway = await startRegistryGateway(t)
    let beats = 0
    const registration = createRegistration({
      gateways: [gateway.adminUrl],
      key: REGISTRY_KEY,
      node: NODE,
      metrics: () => {
        beats++
        return {}
      },
    })
    t.after(() => registration.stop())
    await registration.start()
    await gateway.registry('PUT', 'agents/chat/later', { node_id: 'n1' })
    const before = beats
    // What the first one led to is done when the second one begins.
    await eventually('two more beats', () => beats > before + 1, 30_000)
    assert.deepEqual(await agentsOf(gateway), ['chat/later'])
  })
})
