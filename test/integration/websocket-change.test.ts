import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { definePlugin } from '../../src/plugin/api.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { eventually } from '../support/watch-recording.ts'
import { webSocketClient, webSocketUpstream } from '../support/websocket.ts'

const TUNNELS = 100

describe('WebSockets while configuration changes', () => {
  it('are not broken by any change, that of their own route included', async (t) => {
    const upstream = await webSocketUpstream(t)
    const route = { uri: '/*', enable_websocket: true, upstream: { nodes: { [upstream.address]: 1 } } }
    const gateway = await startGateway(t, { routes: { 1: route } })
    const clients = Array.from({ length: TUNNELS }, () =>
      webSocketClient(t, `ws://127.0.0.1:${gateway.proxyPort}/`),
    )
    await Promise.all(clients.map(({ open }) => open))
    for (let round = 0; round < 10; round++) {
      await gateway.put('routes', '1', { ...route, desc: `round ${round}` })
      for (const { socket } of clients) socket.send(`${round}`)
    }
    await eventually('every echo is back', () => clients.every(({ messages }) => messages.length === 10))
    await gateway.stop()
    const codes = await Promise.all(clients.map(({ closed }) => closed.then(({ code }) => code)))
    assert.deepEqual(new Set(codes), new Set([1001]))
  })

  it('keep the plugins that they began with until they end, and run their log phase once', async (t) => {
    const told: string[] = []
    const witness = definePlugin<object>({
      name: 'witness',
      priority: 1,
      schema: { type: 'object' },
      compile: (_config, host) => {
        host.own(() => void told.push('released'))
        return { log: ({ response }) => void told.push(`log ${response.status}`) }
      },
    })
    const upstream = await webSocketUpstream(t)
    const to = { nodes: { [upstream.address]: 1 } }
    const gateway = await startGateway(
      t,
      {
        routes: { 1: { uri: '/*', enable_websocket: true, upstream: to, plugins: { witness: {} } as never } },
      },
      { plugins: { witness: async () => ({ default: witness }) } },
    )
    const client = webSocketClient(t, `ws://127.0.0.1:${gateway.proxyPort}/`)
    await client.open
    await gateway.admin('DELETE', 'routes/1')
    client.socket.send('still there?')
    await eventually('the echo', () => client.messages.length === 1)
    assert.deepEqual(told, [])
    client.socket.close()
    await eventually('all is told', () => told.length === 2)
    assert.deepEqual(told, ['log 101', 'released'])
  })
})
