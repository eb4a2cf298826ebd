import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Ssl } from '../../src/model/types.ts'
import { createLogger } from '../../src/observe/logger.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'
import { askOverTls, handshake } from '../support/tls-client.ts'

const server = makeCertificate({ names: ['gateway'] })
const other = makeCertificate({ names: ['other'] })
const authority = { ...makeCertificate({ names: ['authority'] }), name: 'authority' }
const otherAuthority = { ...makeCertificate({ names: ['other authority'] }), name: 'other authority' }
const alice = makeCertificate({ names: ['alice'], issuer: authority })
const client = { ca: authority.cert }
const open = { sni: 'a.test', ...server }
const guarded = { ...open, client }
/** Its key belongs to another certificate. */
const mismatched = { cert: server.cert, key: other.key }

interface Quarantined {
  readonly kind: string
  readonly id: string
  readonly reason: string
  readonly older_version_serves: boolean
}

/** A gateway that serves `first` as `ssls/1`, beside a wildcard ssl without a check, and whose store is written past the admin API. */
async function stage(t: TestContext, first: Partial<Ssl> | undefined) {
  const upstream = await fakeUpstream(t)
  const store = new MemoryStore({ logger: createLogger('silent') })
  const gateway = await startGateway(
    t,
    {
      ssls: { ...(first && { 1: first }), any: { sni: '*', ...server } },
      routes: { all: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } },
    },
    { store },
  )
  /** `200`, or why there was no answer. */
  const ask = async (servername: string, shown = {}): Promise<string> => {
    try {
      return String((await askOverTls(gateway.tlsPort, { servername, ...shown })).status)
    } catch (error) {
      return (error as Error).message.includes('handshake failure') ? 'refused' : 'not let in'
    }
  }
  return {
    gateway,
    ask,
    poison: async (document: unknown) => {
      const text = typeof document === 'string' ? document : JSON.stringify(document)
      await store.put('/apisix/ssls/1', text)
      await gateway.gateway.settled()
    },
    remove: async () => {
      await store.delete('/apisix/ssls/1')
      await gateway.gateway.settled()
    },
    quarantined: async (): Promise<readonly Quarantined[]> => {
      const { ip, port } = gateway.addresses.control!
      const sync = (await (await fetch(`http://${ip}:${port}/v1/sync`)).json()) as {
        quarantined: Quarantined[]
      }
      return sync.quarantined
    },
  }
}

describe('a stored ssl that begins to ask for client certificates and cannot be used', () => {
  for (const [what, poison] of Object.entries({
    'because its key belongs to another certificate': { ...guarded, ...mismatched },
    'because its certificate cannot be read': { ...guarded, cert: 'x'.repeat(200) },
    'because it does not fit the schema': { ...guarded, clients: 1 },
    'because its authority is no certificate': { ...guarded, client: { ca: 'x'.repeat(200) } },
    'because its authority is missing': { ...guarded, client: {} },
    'because its client is no object': { ...guarded, client: null },
  })) {
    it(`${what}: refuses the name instead of serving it unchecked`, async (t) => {
      const { ask, poison: write, quarantined, gateway } = await stage(t, open)
      assert.equal(await ask('a.test'), '200')
      await write(poison)
      assert.deepEqual([await ask('a.test'), await ask('a.test', alice)], ['refused', 'refused'])
      assert.equal(await ask('elsewhere.test'), '200')
      const [entry] = await quarantined()
      assert.deepEqual([entry?.kind, entry?.id, entry?.older_version_serves], ['ssls', '1', false])
      assert.match(entry!.reason, /; it asks clients for certificates, so handshakes for a\.test are refused/)
      assert.ok(gateway.logs.some((line) => line['reason'] === entry!.reason))
    })
  }

  it('is served again when it is repaired, and no wildcard serves its name before', async (t) => {
    const { ask, poison, quarantined } = await stage(t, open)
    await poison({ ...guarded, ...mismatched })
    await poison(guarded)
    assert.deepEqual([await ask('a.test'), await ask('a.test', alice)], ['not let in', '200'])
    assert.deepEqual(await quarantined(), [])
  })

  it('gives its name free when it is deleted, or when a version without a check takes its place', async (t) => {
    const { ask, poison, remove } = await stage(t, open)
    await poison({ ...guarded, ...mismatched })
    await remove()
    assert.equal(await ask('a.test'), '200')
    await poison({ ...guarded, ...mismatched })
    assert.equal(await ask('a.test'), 'refused')
    await poison(open)
    assert.equal(await ask('a.test'), '200')
  })

  it('refuses its name also when it never had a good version', async (t) => {
    const { ask, poison, remove } = await stage(t, undefined)
    assert.equal(await ask('a.test'), '200')
    await poison({ ...guarded, snis: ['b.test', 7], sni: 'A.test.' })
    assert.deepEqual(
      [await ask('a.test'), await ask('b.test'), await ask('c.test')],
      ['refused', 'refused', '200'],
    )
    await remove()
    assert.equal(await ask('a.test'), '200')
  })

  it('goes on refusing when text that is no JSON follows', async (t) => {
    const { ask, poison } = await stage(t, open)
    await poison({ ...guarded, ...mismatched })
    await poison('{')
    assert.equal(await ask('a.test'), 'refused')
  })

  it('is not reached by its name in Host either', async (t) => {
    const { poison, gateway } = await stage(t, open)
    const ask = () => askOverTls(gateway.tlsPort, { servername: 'elsewhere.test', hostHeader: 'a.test' })
    assert.equal((await ask()).status, 200)
    await poison({ ...guarded, ...mismatched })
    assert.equal((await ask()).status, 400)
  })

  it('stops connections that were let in before at their next request', async (t) => {
    const { poison, gateway } = await stage(t, open)
    const socket = await handshake(gateway.tlsPort, { servername: 'a.test' })
    t.after(() => socket.destroy())
    await poison({ ...guarded, ...mismatched })
    const answer = new Promise((resolve) =>
      socket.once('data', (data) => resolve(String(data).split('\r\n')[0])),
    )
    socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    assert.equal(await answer, 'HTTP/1.1 400 Bad Request')
  })
})

describe('a stored ssl that cannot be used', () => {
  it('is stood in for by its last good version when that asks for the same certificates', async (t) => {
    const { ask, poison, quarantined } = await stage(t, guarded)
    await poison({ ...guarded, ...mismatched, client: { ...client, depth: 1 } })
    assert.deepEqual([await ask('a.test'), await ask('a.test', alice)], ['not let in', '200'])
    assert.deepEqual(
      (await quarantined()).map(({ older_version_serves: serves, reason }) => [
        serves,
        reason.includes('it asks'),
      ]),
      [[true, false]],
    )
  })

  it('refuses the names that are new in it, and serves the others with the check that stayed', async (t) => {
    const { ask, poison } = await stage(t, guarded)
    const { sni: _, ...rest } = guarded
    await poison({ ...rest, ...mismatched, snis: ['a.test', 'b.test'] })
    assert.deepEqual([await ask('a.test', alice), await ask('b.test', alice)], ['200', 'refused'])
  })

  it('refuses when it asks for certificates of another authority than its last good version', async (t) => {
    const { ask, poison } = await stage(t, guarded)
    await poison({ ...guarded, ...mismatched, client: { ca: otherAuthority.cert } })
    assert.equal(await ask('a.test', alice), 'refused')
  })

  it('is stood in for by its last good version when it asks for none, or says nothing at all', async (t) => {
    for (const poisoned of [{ ...open, ...mismatched }, '{', { ...guarded, status: 0, clients: 1 }]) {
      const { ask, poison, quarantined } = await stage(t, open)
      await poison(poisoned)
      assert.equal(await ask('a.test'), '200')
      assert.equal((await quarantined())[0]?.older_version_serves, true)
    }
  })
})
