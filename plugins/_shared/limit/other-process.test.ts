import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AnyPlugin } from '../../../src/plugin/api.ts'
import type { NodeOperations } from '../../../src/plugin/node-operations.ts'
import { type MountedPlugin, mountPlugin } from '../../../src/testing/mount-plugin.ts'
import { eventually } from '../../../test/support/watch-recording.ts'
import apiBreaker from '../../api-breaker/index.ts'
import limitConn from '../../limit-conn/index.ts'
import limitCount from '../../limit-count/index.ts'
import limitReq from '../../limit-req/index.ts'

/** As in a worker: the state lives in another process, so that arguments and results are text on the way and answers come later. */
function elsewhere(local: NodeOperations, isReachable = () => true): NodeOperations {
  return {
    bind(plugin, name) {
      const operation = local.bind(plugin, name) as (argument: unknown) => unknown
      return async (argument: unknown) => {
        await new Promise((resolve) => setImmediate(resolve))
        if (!isReachable()) throw new Error('the primary process does not answer')
        return JSON.parse(JSON.stringify(operation(JSON.parse(JSON.stringify(argument)))))
      }
    },
  }
}

function workersOf(plugin: AnyPlugin, config: Record<string, unknown>, isReachable?: () => boolean) {
  const primary = mountPlugin(plugin, config)
  const worker = () => {
    const nodeOperations = elsewhere(primary.nodeOperations, isReachable)
    const { clock } = primary
    // Its own metrics: a process of its own. Its clock and the state are the node's.
    const { metrics } = mountPlugin(plugin, config)
    return mountPlugin(plugin, config, { beside: { clock, metrics, nodeOperations } as MountedPlugin })
  }
  return [worker(), worker()] as const
}

async function passed(workers: readonly MountedPlugin[], each: number): Promise<number> {
  const answers = await Promise.all(
    workers.flatMap((worker) => Array.from({ length: each }, () => worker.request())),
  )
  return answers.filter(({ status }) => status === 200).length
}

describe('limits over several processes of a node', () => {
  it('limit-count lets through exactly what it may, fixed and sliding', async () => {
    for (const type of ['fixed', 'sliding']) {
      const workers = workersOf(limitCount, { count: 7, time_window: 60, window_type: type })
      assert.equal(await passed(workers, 10), 7)
      assert.equal((await workers[1].request()).headers.get('x-ratelimit-remaining'), '0')
    }
  })

  it('limit-req has one bucket', async () => {
    const config = { rate: 1, burst: 4, key: 'remote_addr', nodelay: true }
    assert.equal(await passed(workersOf(limitReq, config), 10), 5)
  })

  it('limit-conn gives every place back', async () => {
    const config = { conn: 3, burst: 0, key: 'remote_addr', default_conn_delay: 0.1 }
    const workers = workersOf(limitConn, config)
    for (let round = 0; round < 3; round++) assert.ok((await passed(workers, 4)) >= 3)
    await eventually('all places are free', async () => (await passed([workers[0]], 3)) === 3)
  })

  it('api-breaker opens for all of them', async () => {
    const config = { break_response_code: 599, unhealthy: { failures: 2 } }
    const [one, other] = workersOf(apiBreaker, config)
    for (const worker of [one, other]) await worker.request({ upstream: { status: 500 } })
    for (const worker of [one, other]) {
      await eventually('it is open', async () => (await worker.request()).status === 599)
    }
  })

  it('api-breaker lets requests pass when nobody can tell of the circuit', async () => {
    const [worker] = workersOf(apiBreaker, { break_response_code: 599 }, () => false)
    assert.equal((await worker.request({ upstream: { status: 500 } })).status, 500)
    assert.ok((await worker.request()).sent)
  })

  it('a limit that cannot be asked refuses, or lets pass with allow_degradation', async () => {
    const configs: [AnyPlugin, Record<string, unknown>][] = [
      [limitCount, { count: 7, time_window: 60 }],
      [limitReq, { rate: 1, burst: 4, key: 'remote_addr' }],
      [limitConn, { conn: 3, burst: 0, key: 'remote_addr', default_conn_delay: 0.1 }],
    ]
    for (const [plugin, config] of configs) {
      const [strict] = workersOf(plugin, config, () => false)
      assert.equal((await strict.request()).status, 500, plugin.name)
      const [lenient] = workersOf(plugin, { ...config, allow_degradation: true }, () => false)
      assert.equal((await lenient.request()).status, 200, plugin.name)
    }
  })
})
