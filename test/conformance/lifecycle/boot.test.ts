import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createLogger } from '../../../src/observe/logger.ts'
import { MemoryStore } from '../../../src/store/memory-store.ts'
import { refusingAddress } from '../../../src/testing/fake-upstream.ts'
import { startGateway } from '../../../src/testing/start-gateway.ts'
import { eventually } from '../../support/watch-recording.ts'

/** A store that grants no lease until it is told to. */
class Leaseless extends MemoryStore {
  isWilling = false

  override async grantLease(seconds: number): ReturnType<MemoryStore['grantLease']> {
    if (!this.isWilling) throw new Error('not yet')
    return super.grantLease(seconds)
  }
}

/** A store that cannot be read. */
class Silent extends MemoryStore {
  override list(): ReturnType<MemoryStore['list']> {
    return Promise.reject(new Error('not now'))
  }
}

describe('gatewright.boot.timeout_ms', () => {
  it('ends a start that has no configuration by then, with a sentence', async (t) => {
    const settings = {
      'gatewright.store': 'etcd',
      'gatewright.last_good.enabled': false,
      'deployment.etcd.host': [`http://${await refusingAddress()}`],
      'gatewright.boot.timeout_ms': 400,
    }
    const began = performance.now()
    await assert.rejects(
      startGateway(t, {}, { settings }),
      /gatewright\.boot\.timeout_ms: no configuration within 400 ms from the store \(etcd\)/,
    )
    const tookMs = performance.now() - began
    assert.ok(tookMs > 390 && tookMs < 20_000, `it took ${tookMs} ms`)
  })

  it('leaves nothing behind that goes on asking', async (t) => {
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const before = timers()
    const settings = { 'gatewright.boot.timeout_ms': 100, 'gatewright.last_good.enabled': false }
    await assert.rejects(
      startGateway(t, {}, { store: new Silent({ logger: createLogger('silent') }), settings }),
    )
    await eventually('all timers are gone', () => timers() <= before, 20_000)
  })

  it('does nothing to a start that has one', async (t) => {
    const { gateway } = await startGateway(t, {}, { settings: { 'gatewright.boot.timeout_ms': 60_000 } })
    assert.equal(gateway.readiness.isReady, true)
  })
})

describe('gatewright.registration.required', () => {
  it('keeps a gateway that serves from being ready until it is on the list', async (t) => {
    const store = new Leaseless({ logger: createLogger('silent') })
    const { gateway, proxyUrl } = await startGateway(
      t,
      {},
      { store, settings: { 'gatewright.registration.required': true } },
    )
    assert.deepEqual(gateway.readiness.reasons(), ['registration'])
    assert.equal((await fetch(proxyUrl)).status, 404)
    store.isWilling = true
    await eventually('it is ready', () => gateway.readiness.isReady, 20_000)
  })

  it('is off by default: what the store does not take keeps nobody from being ready', async (t) => {
    const { gateway } = await startGateway(
      t,
      {},
      { store: new Leaseless({ logger: createLogger('silent') }) },
    )
    assert.equal(gateway.readiness.isReady, true)
  })
})
