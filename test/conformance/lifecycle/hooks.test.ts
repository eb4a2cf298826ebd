import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createAdminApi } from '../../../admin/api/index.ts'
import { catalogue } from '../../../plugins/catalogue.ts'
import { createGateway, type GatewayAddresses, type GatewayOptions } from '../../../src/gateway/gateway.ts'
import { createLogger } from '../../../src/observe/logger.ts'
import { loadSettings } from '../../../src/settings/load.ts'

const ANY = { ip: '127.0.0.1', port: 0 }

function build(t: TestContext, hooks: NonNullable<GatewayOptions['hooks']>) {
  const workingDirectory = mkdtempSync(join(tmpdir(), 'gatewright-hooks-'))
  t.after(() => rmSync(workingDirectory, { recursive: true }))
  const logs: Record<string, unknown>[] = []
  const { settings } = loadSettings({
    env: {},
    workingDirectory,
    flags: {
      'gatewright.store': 'memory',
      'gatewright.log.access_log': 'off',
      'gatewright.shutdown.plugin_close_ms': 100,
      'apisix.node_listen': [ANY],
      'apisix.ssl.enable': false,
      'apisix.status': ANY,
      'apisix.control': ANY,
      'plugin_attr.prometheus.export_addr': ANY,
      'deployment.admin.admin_listen': ANY,
      'deployment.admin.admin_key': [
        { name: 'admin', key: 'a-key-of-32-characters-0123456789', role: 'admin' },
      ],
    },
  })
  const logger = createLogger('info', { write: (line: string) => void logs.push(JSON.parse(line)) })
  const gateway = createGateway({ settings, catalogue, adminApi: createAdminApi, logger, hooks })
  t.after(() => gateway.stop('test ended'))
  return { gateway, logs }
}

const connects = ({ proxy }: GatewayAddresses) =>
  fetch(`http://127.0.0.1:${proxy[0]!.port}/`).then(
    () => true,
    () => false,
  )

describe('S4, S10, D2, D12: hooks', () => {
  it('come in their places: before the configuration, before it is ready, while it accepts, and after all is closed', async (t) => {
    const trace: unknown[] = []
    let addresses: GatewayAddresses | undefined
    const { gateway, logs } = build(t, {
      beforeStart: () => void trace.push(['beforeStart', gateway.readiness.reasons().includes('config')]),
      afterStart: async (given) => {
        addresses = given
        trace.push(['afterStart', await connects(given), gateway.readiness.reasons()])
      },
      beforeStop: async (reason) => {
        trace.push(['beforeStop', reason, await connects(addresses!), gateway.readiness.isDraining])
      },
      afterStop: async () => {
        const live = await fetch(`http://127.0.0.1:${addresses!.status!.port}/status`)
        trace.push(['afterStop', await connects(addresses!), live.status])
      },
    })
    await gateway.start()
    assert.equal(gateway.readiness.isReady, true)
    const summary = logs.find(({ upAfterMs }) => upAfterMs !== undefined)!
    assert.deepEqual(Object.keys(summary['upAfterMs'] as object).includes('proxy'), true)
    await gateway.stop('because')
    assert.deepEqual(trace, [
      ['beforeStart', true],
      ['afterStart', true, ['afterStart']],
      ['beforeStop', 'because', true, true],
      ['afterStop', false, 200],
    ])
  })

  it('of a stop that throw or hang are logged and keep nothing from going on', async (t) => {
    const { gateway, logs } = build(t, {
      beforeStop: () => {
        throw new Error('boom')
      },
      afterStop: () => new Promise(() => undefined),
    })
    await gateway.start()
    assert.deepEqual(await gateway.stop('x'), { forced: 0 })
    assert.deepEqual(
      logs.flatMap(({ hook }) => hook ?? []),
      ['beforeStop', 'afterStop'],
    )
  })

  for (const name of ['beforeStart', 'afterStart'] as const) {
    it(`${name} that fails ends the start, and what had started is stopped`, async (t) => {
      let stops = 0
      let status = 0
      const { gateway } = build(t, {
        [name]: () => Promise.reject(new Error('not today')),
        beforeStop: () => void stops++,
        afterStop: () => {
          status = 1
        },
      })
      await assert.rejects(gateway.start(), /not today/)
      assert.deepEqual(await gateway.stop('start failed'), { forced: 0 })
      assert.deepEqual([stops, status], [0, 1])
    })
  }
})
