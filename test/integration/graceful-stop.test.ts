import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { type StartOptions, startGateway } from '../../src/testing/start-gateway.ts'
import { rawConnect } from '../support/raw-client.ts'
import { eventually } from '../support/watch-recording.ts'

async function stage(t: TestContext, settings: StartOptions['settings'] = {}) {
  const held: ServerResponse[] = []
  const upstream = await fakeUpstream(t, (_request, response) => void held.push(response))
  const gateway = await startGateway(
    t,
    { routes: { 1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } } },
    { settings },
  )
  return { gateway, held }
}

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n'

/** The code of the error that connecting ends in, `undefined` when it is accepted. */
async function refusal(port: number): Promise<string | undefined> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code
  } finally {
    socket.destroy()
  }
}

describe('a stop', () => {
  it('shows what it waits for', async (t) => {
    const { gateway, held } = await stage(t, { 'gatewright.shutdown.max_drain_ms': 700 })
    const read = async (series: string) => {
      const { port } = gateway.addresses.metrics!
      const text = await (await fetch(`http://127.0.0.1:${port}/apisix/prometheus/metrics`)).text()
      return text.split('\n').find((line) => line.startsWith(`${series} `))
    }
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(GET)
    await eventually('the upstream has the request', () => held.length === 1)
    const pending = 'gatewright_drain_pending{component="requests"}'
    assert.equal(await read(pending), `${pending} 0`)
    const stopped = gateway.stop()
    assert.equal(await read(pending), `${pending} 1`)
    assert.deepEqual(await stopped, { forced: 1 })
  })

  it('lets a request in flight end, refuses new connections, and says at once that it is not ready', async (t) => {
    const { gateway, held } = await stage(t)
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(GET)
    await eventually('the upstream has the request', () => held.length === 1)
    held[0]!.write('first ')
    await client.until(/first /)
    const stopped = gateway.stop()
    const ready = await fetch(`http://127.0.0.1:${gateway.addresses.status!.port}/status/ready`)
    assert.equal(ready.status, 503)
    await eventually(
      'new connections are refused',
      async () => (await refusal(gateway.proxyPort)) === 'ECONNREFUSED',
    )
    held[0]!.end('last')
    assert.match(await client.untilClosed(), /first .*last/s)
    assert.deepEqual(await stopped, { forced: 0 })
  })

  it('of an idle gateway is fast, whatever connections stand around', async (t) => {
    const { gateway, held } = await stage(t)
    const used = await rawConnect(t, gateway.proxyPort)
    used.send(GET)
    await eventually('the upstream has the request', () => held.length === 1)
    held[0]!.end('ok')
    await used.until(/ok/)
    const unused = await rawConnect(t, gateway.proxyPort)
    const before = performance.now()
    assert.deepEqual(await gateway.stop(), { forced: 0 })
    assert.ok(performance.now() - before < 2000)
    await eventually('both are closed', () => used.isClosed && unused.isClosed)
  })

  it('cuts what is not over at the deadline, and says how many', async (t) => {
    const { gateway, held } = await stage(t, { 'gatewright.shutdown.max_drain_ms': 150 })
    const clients = [await rawConnect(t, gateway.proxyPort), await rawConnect(t, gateway.proxyPort)]
    for (const client of clients) client.send(GET)
    await eventually('the upstream has both requests', () => held.length === 2)
    assert.deepEqual(await gateway.stop(), { forced: 2 })
    for (const client of clients) assert.equal(await client.untilClosed(), '')
  })

  it('ends connections with their answer while it still accepts', async (t) => {
    const { gateway, held } = await stage(t, { 'gatewright.shutdown.min_drain_ms': 300 })
    const stopped = gateway.stop()
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(GET)
    await eventually('the upstream has the request', () => held.length === 1)
    held[0]!.end('ok')
    assert.match(await client.untilClosed(), /connection: close.*ok/is)
    assert.deepEqual(await stopped, { forced: 0 })
  })
})
