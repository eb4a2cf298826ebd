import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { seeded } from './mutations.ts'
import { type MutatedResponse, makeResponse, SOUND_RESPONSES } from './response-mutations.ts'
import { type FaultyNode, type Received, StrictClient, startFaultyNode } from './response-stage.ts'
import { readResponse } from './strict-response.ts'

/** More of both for a longer hunt: FUZZ_RUNS=20000 FUZZ_SEED=7 npm test -- fuzz. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 500)
const SEED = Number(process.env['FUZZ_SEED'] ?? 20261121)

async function stage(t: TestContext): Promise<{ node: FaultyNode; client: StrictClient }> {
  const node = await startFaultyNode(t)
  const upstream = { nodes: { [node.address]: 1 }, retries: 0 }
  const gateway = await startGateway(t, { routes: { all: { uri: '/*', upstream } } })
  return { node, client: new StrictClient(t, gateway.proxyPort) }
}

const isRefusal = (received: Received) =>
  received === 'aborted' ||
  (received.status === 502 && ['', '{"error_msg":"502 Bad Gateway"}\n'].includes(received.body))

/** Judges one answer; returns whether it went through. */
function judge(received: Received, method: string, { bytes, isMutated }: MutatedResponse): boolean {
  const strict = readResponse(bytes, { method, isClosed: true })
  if (isRefusal(received)) {
    assert.ok(isMutated, 'a sound response was refused')
    return false
  }
  assert.ok(typeof strict !== 'string', `a response that is none went through: ${JSON.stringify(received)}`)
  assert.deepEqual(received, { status: strict.status, body: strict.body })
  return true
}

async function exchange(
  { node, client }: { node: FaultyNode; client: StrictClient },
  method: string,
  response: MutatedResponse,
): Promise<boolean> {
  node.next = response
  const isThrough = judge(await client.ask(method, '/bad/x'), method, response)
  assert.deepEqual(await client.ask('GET', '/sound/next'), { status: 200, body: 'next' })
  assert.deepEqual(node.reusedAfterFault, [], 'a connection was used again after a fault')
  return isThrough
}

describe('the response side under mutated responses', () => {
  it(`shows the client what a strict reader reads, or a 502, or breaks off, and the next answer is right (${RUNS} responses, seed ${SEED})`, async (t) => {
    const both = await stage(t)
    const random = seeded(SEED)
    let through = 0
    for (let run = 0; run < RUNS; run++) {
      const method = random() < 0.2 ? 'HEAD' : 'GET'
      const response = makeResponse(random, `body-${run}`)
      try {
        if (await exchange(both, method, response)) through++
      } catch (error) {
        const shown = JSON.stringify({ ...response, bytes: response.bytes.slice(0, 2000) })
        throw new Error(`run ${run}, seed ${SEED}: ${method} ${shown}`, { cause: error })
      }
    }
    // The fuzz would prove nothing if nearly everything were refused.
    assert.ok(through > RUNS / 4, `only ${through} responses of ${RUNS} went through`)
  })

  for (const [index, make] of SOUND_RESPONSES.entries()) {
    it(`never takes a response for whole that ends at any of its bytes (form ${index + 1})`, async (t) => {
      const both = await stage(t)
      const whole = make('body')
      for (let end = 0; end < whole.length; end++) {
        const cut = { bytes: whole.slice(0, end), isMutated: true, cuts: [], closes: true }
        await exchange(both, 'GET', cut)
      }
    })
  }

  for (const [index, make] of SOUND_RESPONSES.entries()) {
    it(`reads a response that comes in two pieces, wherever they meet (form ${index + 1})`, async (t) => {
      const both = await stage(t)
      const bytes = make('body')
      const isUntilClose = bytes.includes('Connection: close')
      for (let cut = 1; cut < bytes.length; cut++) {
        assert.ok(await exchange(both, 'GET', { bytes, isMutated: false, cuts: [cut], closes: isUntilClose }))
      }
    })
  }
})
