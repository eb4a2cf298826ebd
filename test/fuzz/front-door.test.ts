import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { makeStream, seeded } from './mutations.ts'
import { sendStream, startRecorder } from './proxy-under-fuzz.ts'
import { type ReadRequest, readStrictly } from './strict-reader.ts'

/** More of both for a longer hunt: FUZZ_RUNS=20000 FUZZ_SEED=7 npm test -- fuzz. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 500)
const SEED = Number(process.env['FUZZ_SEED'] ?? 20261121)

/** The path and query of an absolute target, which goes on in origin form, with its authority as the host (RFC 9112 §3.2.2). */
function inOriginForm(request: ReadRequest): ReadRequest {
  const absolute = /^http:\/\/([^/?]+)(.*)$/i.exec(request.target)
  return absolute ? { ...request, host: absolute[1]!, target: absolute[2]! } : request
}

/** HTTP/1.0 may come without a Host; the node then gets its own name. */
function withNodesHost(address: string): (request: ReadRequest) => ReadRequest {
  return (request) => (request.host === '' ? { ...request, host: address } : request)
}

describe('the front door under mutated requests', () => {
  it(`forwards what a strict reader reads, or less, and never anything else (${RUNS} streams, seed ${SEED})`, async (t) => {
    const node = await startRecorder(t)
    const gateway = await startGateway(t, {
      routes: { all: { uri: '/*', upstream: { nodes: { [node.address]: 1 }, retries: 0 } } },
    })
    const random = seeded(SEED)
    let forwarded = 0
    for (let run = 0; run < RUNS; run++) {
      const stream = makeStream(random)
      await sendStream(gateway.proxyPort, stream)
      const received = node.take()
      const allowed = readStrictly(stream)
        .slice(0, received.length)
        .map(inOriginForm)
        .map(withNodesHost(node.address))
      assert.deepEqual(received, allowed, `run ${run}, seed ${SEED}: ${JSON.stringify(stream)}`)
      forwarded += received.length
    }
    // The fuzz would prove nothing if nearly everything were refused.
    assert.ok(forwarded > RUNS / 2, `only ${forwarded} requests of ${RUNS} streams were forwarded`)
  })
})
