import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream, refusingAddress } from '../../src/testing/fake-upstream.ts'
import { startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'

interface Tally {
  readonly statuses: Readonly<Record<number, number>>
  readonly attempts: number
}

/** Sends so many requests, `concurrency` at once, and counts the attempts that the gateway made for them. */
async function send(gateway: TestGateway, requests: number, concurrency: number): Promise<Tally> {
  const statuses: Record<number, number> = {}
  let [left, attempts] = [requests, 0]
  const client = async () => {
    while (left-- > 0) {
      const response = await fetch(gateway.proxyUrl)
      await response.arrayBuffer()
      statuses[response.status] = (statuses[response.status] ?? 0) + 1
      attempts += response.headers.get('x-apisix-upstream-status')!.split(', ').length
    }
  }
  await Promise.all(Array.from({ length: concurrency }, client))
  return { statuses, attempts }
}

function gatewayTo(t: TestContext, addresses: readonly string[]): Promise<TestGateway> {
  const nodes = Object.fromEntries(addresses.map((address) => [address, 1]))
  return startGateway(
    t,
    { routes: { 1: { uri: '/*', upstream: { nodes } } } },
    { settings: { 'apisix.show_upstream_status_in_response_header': true } },
  )
}

describe('retries at an upstream', () => {
  for (const concurrency of [1, 12]) {
    it(`all of whose nodes are dead come to a fifth of its requests, ${concurrency} at once`, async (t) => {
      const gateway = await gatewayTo(t, [await refusingAddress(), await refusingAddress()])
      const startedAt = performance.now()
      const { statuses, attempts } = await send(gateway, 1000, concurrency)
      const seconds = (performance.now() - startedAt) / 1000
      assert.deepEqual(statuses, { 502: 1000 })
      // Beside the fifth: the three at the start, and one a second that comes by itself.
      assert.ok(attempts <= 1203 + Math.ceil(seconds), `${attempts} attempts in ${seconds} s`)
      assert.ok(attempts >= 1150, `${attempts} attempts`)
    })

    it(`one of whose three nodes is dead hide it from every client, ${concurrency} at once`, async (t) => {
      const [one, other] = [await fakeUpstream(t), await fakeUpstream(t)]
      const gateway = await gatewayTo(t, [await refusingAddress(), one.address, other.address])
      const { statuses, attempts } = await send(gateway, 600, concurrency)
      assert.deepEqual(statuses, { 200: 600 })
      assert.ok(Math.abs(attempts - 800) <= 10, `${attempts} attempts`)
    })
  }
})
