import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import type { Upstream } from '../../src/model/types.ts'
import { refusingAddress } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { webSocketClient, webSocketUpstream } from '../support/websocket.ts'

/** Probes that say nothing for the length of a test. */
const NEVER = { type: 'tcp', healthy: { interval: 3600 }, unhealthy: { interval: 3600, tcp_failures: 254 } }

interface ShownNode {
  readonly status: string
  readonly counter: Readonly<Record<string, number>>
  readonly last_change?: { readonly reason: string }
}

async function stage(t: TestContext, addresses: readonly string[], passive?: Record<string, unknown>) {
  const nodes = addresses.map((address) => {
    const [host = '', port] = address.split(':')
    return { host, port: Number(port), weight: 1 }
  })
  const checks = { active: NEVER, ...(passive && { passive }) } as NonNullable<Upstream['checks']>
  const gateway = await startGateway(t, {
    upstreams: { 1: { nodes, checks } },
    routes: { 1: { uri: '/*', enable_websocket: true, upstream_id: '1' } },
  })
  return {
    shown: async (): Promise<readonly ShownNode[]> => {
      const port = gateway.addresses.control!.port
      const response = await fetch(`http://127.0.0.1:${port}/v1/healthcheck/upstreams/1`)
      return ((await response.json()) as { nodes: ShownNode[] }).nodes
    },
    /** How a handshake came out: 101, or the status of its refusal. */
    shake: async (): Promise<number> => {
      const client = webSocketClient(t, `ws://127.0.0.1:${gateway.proxyPort}/`)
      return Promise.race([client.open.then(() => 101), client.refusal.then(({ status }) => status)])
    },
  }
}

/** A node that answers one handshake after the other with these statuses, then agrees. */
async function moodyNode(t: TestContext, statuses: number[]): Promise<string> {
  const server = createServer()
  server.on('upgrade', (request, socket) => {
    t.after(() => socket.destroy())
    const status = statuses.shift() ?? 101
    if (status !== 101) {
      socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    const lines = ['Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Accept: ${accept}`]
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('what WebSockets say about the health of a node', () => {
  it('is its refusals by the lists of statuses; a 101, which no list can hold, neither harms nor heals', async (t) => {
    const node = await moodyNode(t, [503, 101, 404, 503, 101])
    const well = await webSocketUpstream(t)
    const passive = { unhealthy: { http_statuses: [503], http_failures: 2 } }
    const { shake, shown } = await stage(t, [node, well.address], passive)
    const answers: number[] = []
    const counts: (number | undefined)[] = []
    for (let i = 0; i < 8; i++) {
      answers.push(await shake())
      counts.push((await shown())[0]?.counter['http_failure'])
    }
    assert.deepEqual(
      answers.filter((status) => status !== 101),
      [503, 404, 503],
    )
    assert.equal(counts.at(-1), 2)
    const [moody, other] = await shown()
    assert.equal(moody?.status, 'unhealthy')
    assert.equal(moody?.last_change?.reason, 'passive check: status 503 (http_failure 2 of 2)')
    assert.deepEqual([other?.status, other?.counter['success']], ['healthy', 0])
    const before = well.requests.length
    for (let i = 0; i < 3; i++) assert.equal(await shake(), 101)
    assert.equal(well.requests.length, before + 3)
  })

  it('is a failed connection where a node cannot be dialled, and another one is asked', async (t) => {
    const well = await webSocketUpstream(t)
    const { shake, shown } = await stage(t, [await refusingAddress(), well.address])
    for (let i = 0; i < 6; i++) assert.equal(await shake(), 101)
    const [dead] = await shown()
    assert.deepEqual([dead?.status, dead?.counter['tcp_failure']], ['unhealthy', 2])
    assert.match(dead?.last_change?.reason ?? '', /^passive check: .*ECONNREFUSED.* \(tcp_failure 2 of 2\)$/)
  })

  it('counts the last dial of a request too, with a passive section', async (t) => {
    const passive = { unhealthy: { tcp_failures: 2, http_statuses: [500] } }
    const { shake, shown } = await stage(t, [await refusingAddress()], passive)
    for (let i = 0; i < 2; i++) assert.equal(await shake(), 502)
    const [dead] = await shown()
    assert.deepEqual([dead?.status, dead?.counter['tcp_failure']], ['unhealthy', 2])
  })

  it('is nothing once the tunnel is open, however it ends', async (t) => {
    const cutting = await webSocketUpstream(t, (socket) => socket.terminate())
    const passive = { unhealthy: { tcp_failures: 1, http_failures: 1, timeouts: 1 } }
    const { shake, shown } = await stage(t, [cutting.address], passive)
    for (let i = 0; i < 3; i++) assert.equal(await shake(), 101)
    const [node] = await shown()
    assert.equal(node?.status, 'healthy')
    assert.deepEqual(new Set(Object.values(node!.counter)), new Set([0]))
  })
})
