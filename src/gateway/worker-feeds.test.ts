import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type LinkPair, linkPair } from '../../test/support/channel-pair.ts'
import { fakeClock } from '../../test/support/fake-clock.ts'
import { eventually } from '../../test/support/watch-recording.ts'
import type { WorkerState } from '../lifecycle/workers/worker-process.ts'
import { definePlugin } from '../plugin/api.ts'
import { LocalOperations, onlyHere } from '../plugin/node-operations.ts'
import type { HealthMonitor } from '../upstream/health/monitor.ts'
import type { HealthChange } from '../upstream/health/node-health.ts'
import { Debug } from './debug.ts'
import { answerDebug, WorkersDebug } from './debug-feed.ts'
import { answerDiscovery, relayedOrigins } from './discovery-feed.ts'
import { HealthFeed, RelayedHealth } from './health-feed.ts'
import { answerNodeOperations, relayedNodeOperations } from './node-operation-feed.ts'
import {
  answerWorkerOperations,
  relayedWorkerOperations,
  spreadWorkerOperations,
} from './worker-operation-feed.ts'

const CHANGE: HealthChange = { from: 'healthy', to: 'unhealthy', reason: 'status 500', atMs: 1 }

/** A monitor that knows one upstream with one node. */
function oneNode(lastChange?: HealthChange) {
  const adopted: (HealthChange | undefined)[] = []
  const reports: unknown[][] = []
  const node = {
    lastChange,
    adopt: (change: HealthChange | undefined) => adopted.push(change),
    report: (...report: unknown[]) => reports.push(report),
  }
  const health = { name: 'upstreams/1', keyed: () => [['10.0.0.1:80', node]] }
  const monitor = {
    all: () => [health],
    find: (name: string) => (name === health.name ? health : undefined),
  } as unknown as HealthMonitor
  return { monitor, adopted, reports }
}

describe('the health of nodes in a worker', () => {
  it('begins with what the primary knows, and follows it', async () => {
    const { primary, worker } = linkPair()
    const [owner, follower, feed] = [oneNode(CHANGE), oneNode(), new HealthFeed()]
    const relayed = new RelayedHealth(worker)
    relayed.attach(follower.monitor)
    feed.attach(primary, owner.monitor)
    await eventually('the first word', () => follower.adopted.length === 1)
    assert.deepEqual(relayed.find('upstreams/1', '10.0.0.1:80'), CHANGE)
    feed.onNode('upstreams/1', '10.0.0.1:80', undefined)
    await eventually('it begins anew', () => follower.adopted.length === 2)
    assert.deepEqual(follower.adopted, [CHANGE, undefined])
    assert.equal(relayed.find('upstreams/1', '10.0.0.1:80'), undefined)
  })

  it('is decided by the primary, from what the worker saw in traffic', async () => {
    const { primary, worker } = linkPair()
    const [owner, feed] = [oneNode(), new HealthFeed()]
    feed.attach(primary, owner.monitor)
    const relayed = new RelayedHealth(worker)
    const seen = { kind: 'http_failure', limit: 3, detail: 'status 500' } as const
    relayed.report({ upstream: 'upstreams/1', node: '10.0.0.1:80', ...seen })
    relayed.report({ upstream: 'upstreams/gone', node: '10.0.0.1:80', ...seen })
    await eventually('it is reported', () => owner.reports.length > 0)
    assert.deepEqual(owner.reports, [['http_failure', 3, { source: 'passive', detail: 'status 500' }]])
  })

  it('is told to nobody who is gone', async () => {
    const { primary, worker, close } = linkPair()
    const [owner, follower, feed] = [oneNode(), oneNode(), new HealthFeed()]
    new RelayedHealth(worker).attach(follower.monitor)
    feed.attach(primary, owner.monitor)
    close()
    feed.onNode('upstreams/1', '10.0.0.1:80', CHANGE)
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    assert.deepEqual(follower.adopted, [])
  })
})

/** Follows names and services; the test says what is found. */
function directory() {
  const open = new Map<string, (found: never) => void>()
  const problems = new Map<string, (problem: string) => void>()
  const follow = (key: string, onFound: (found: never) => void, onProblem: (problem: string) => void) => {
    open.set(key, onFound)
    problems.set(key, onProblem)
    return { close: () => void open.delete(key) }
  }
  const origins: Parameters<typeof answerDiscovery>[1] = {
    names: { watch: (name, { onValue, onProblem }) => follow(name, onValue, onProblem) },
    discovery: {
      watch: (type, { serviceName }, { onNodes, onProblem }) =>
        follow(`${type} ${serviceName}`, onNodes, onProblem),
    },
  }
  return { origins, open, problems }
}

describe('names and services in a worker', () => {
  it('are followed by the primary, with their problems, until nobody wants them', async () => {
    const { primary, worker } = linkPair()
    const { origins, open, problems } = directory()
    answerDiscovery(primary, origins)
    const relayed = relayedOrigins(worker)
    const heard: unknown[] = []
    const sink = (what: string) => (found: unknown) => heard.push([what, found])
    const name = relayed.names.watch('a.test', { onValue: sink('name'), onProblem: sink('problem') })
    relayed.discovery.watch(
      'dns',
      { serviceName: 's.test', args: {} },
      {
        onNodes: sink('nodes'),
        onProblem: sink('problem'),
      },
    )
    await eventually('both are followed', () => open.size === 2)
    const answer = { addresses: ['10.0.0.1'], turn: 0 }
    const nodes = [{ host: '10.0.0.2', port: 80, weight: 1, priority: 0 }]
    open.get('a.test')!(answer as never)
    open.get('dns s.test')!(nodes as never)
    problems.get('dns s.test')!('nobody answers')
    await eventually('all is told', () => heard.length === 3)
    assert.deepEqual(heard, [
      ['name', answer],
      ['nodes', nodes],
      ['problem', 'nobody answers'],
    ])
    name.close()
    await eventually('it is given up', () => !open.has('a.test'))
    assert.equal(open.size, 1)
  })

  it('are given up for a worker that is gone', async () => {
    const { primary, worker, close } = linkPair()
    const { origins, open } = directory()
    answerDiscovery(primary, origins)
    relayedOrigins(worker).names.watch('a.test', { onValue: () => undefined, onProblem: () => undefined })
    await eventually('it is followed', () => open.size === 1)
    close()
    assert.equal(open.size, 0)
  })
})

describe('node operations of a worker', () => {
  const plugin = definePlugin({
    name: 'counter',
    priority: 1,
    schema: { type: 'object' },
    nodeOperations: {
      add: () => {
        let sum = 0
        return (by: number) => (sum += by)
      },
    },
    compile: () => ({}),
  })
  const local = () => new LocalOperations('nodeOperations', () => ({}) as never)

  it('run in the primary, where their state is', async () => {
    const { primary, worker } = linkPair()
    const owned = local()
    answerNodeOperations(primary, owned, (name) => (name === 'counter' ? plugin : undefined))
    const relayed = relayedNodeOperations(worker, local(), () => false)
    const add = relayed.bind(plugin, 'add')
    assert.deepEqual(await Promise.all([add(1 as never), add(2 as never)]), [1, 3])
    assert.equal(await owned.bind(plugin, 'add')(0 as never), 3)
    assert.throws(() => relayed.bind(plugin, 'none'), /declares no node operation "none"/)
  })

  it('fail when the plugin has gone meanwhile, and run here when only this process knows it', async () => {
    const { primary, worker } = linkPair()
    answerNodeOperations(primary, local(), () => undefined)
    const relayed = relayedNodeOperations(worker, local(), () => false)
    await assert.rejects(
      async () => relayed.bind(plugin, 'add')(1 as never),
      /"counter" is not there any more/,
    )
    const own = relayedNodeOperations(worker, local(), () => true)
    assert.equal(await own.bind(plugin, 'add')(4 as never), 4)
    assert.equal(worker.outstanding, 0)
  })
})

/** A plugin that keeps a number in each worker. */
function keeper(forget: () => unknown) {
  return definePlugin({
    name: 'keeper',
    priority: 1,
    schema: { type: 'object' },
    workerOperations: { forget: () => forget },
    compile: () => ({}),
  })
}

/** A primary process with workers, each with what its plugin does, or without the plugin. */
function workersWith(operations: readonly ((() => unknown) | undefined)[]) {
  const clock = fakeClock()
  const living: { pid: number; state: WorkerState; link: LinkPair['primary'] }[] = []
  const pairs = operations.map((forget, pid) => {
    const pair = linkPair()
    const plugin = forget && keeper(forget)
    spreadWorkerOperations(pair.primary, () => living, clock)
    answerWorkerOperations(pair.worker, () => ({
      find: (name) => (name === 'keeper' ? plugin : undefined),
      operations: new LocalOperations('workerOperations', () => ({}) as never),
    }))
    living.push({ pid, state: 'serving', link: pair.primary })
    return pair
  })
  const forget = relayedWorkerOperations(pairs[0]!.worker).bind(
    keeper(() => undefined),
    'forget',
  )
  return { clock, living, pairs, forget: () => forget(undefined as never) }
}

describe('operations in all workers', () => {
  it('run in each that serves, stands by or drains, and gather what they answer', async () => {
    const { forget, living } = workersWith([() => 'a', async () => 'b', () => 'c', () => 'd'])
    living[1]!.state = 'standby'
    living[2]!.state = 'draining'
    living[3]!.state = 'starting'
    assert.deepEqual([...(await forget())].sort(), ['a', 'b', 'c'])
  })

  it('leave out who has no such operation, who is not prepared, and who ends meanwhile', async () => {
    const { forget, pairs } = workersWith([
      () => 'a',
      undefined,
      () => new Promise(() => undefined),
      () => 'd',
    ])
    answerWorkerOperations(pairs[3]!.worker, () => undefined)
    const answers = forget()
    await eventually('the third is asked', () => pairs[2]!.primary.outstanding === 1)
    pairs[2]!.close()
    assert.deepEqual(await answers, ['a'])
  })

  it('fail as a whole when one fails or takes too long', async () => {
    const failing = workersWith([
      () => 'a',
      () => {
        throw new Error('the disk is gone')
      },
    ])
    await assert.rejects(failing.forget(), /the disk is gone/)
    const { forget, clock, pairs } = workersWith([() => 'a', () => new Promise(() => undefined)])
    const answers = assert.rejects(forget(), /worker 1 did not run keeper\/forget within 5000 ms/)
    await eventually('both are asked', () => pairs[1]!.primary.outstanding === 1)
    await clock.advance(5000)
    await answers
  })

  it('are refused where the plugin declares none, and run once where there is one process', async () => {
    const plugin = keeper(() => 'a')
    assert.throws(
      () => relayedWorkerOperations(linkPair().worker).bind(plugin, 'none'),
      /"keeper" declares no worker operation "none"/,
    )
    const local = onlyHere(new LocalOperations('workerOperations', () => ({}) as never))
    assert.deepEqual(await local.bind(plugin, 'forget')(undefined as never), ['a'])
  })
})

describe('debug switches of workers', () => {
  it('reach all of them, and those to come', async () => {
    const off = { timeline: 0, plugins_header: false, rejected_by_header: false }
    const pairs = [linkPair(), linkPair()]
    const workers = pairs.map(() => new Debug(off))
    for (const [index, { worker }] of pairs.entries()) answerDebug(worker, workers[index]!)
    const own = new Debug(off)
    const debug = new WorkersDebug(own, () => pairs.map(({ primary }) => primary))
    debug.set({ timeline: 5 })
    await eventually('all are switched', () => workers.every(({ settings }) => settings.timeline === 5))
    assert.equal(debug.settings.timeline, 5)
    assert.equal(debug.timeline.capacity(), 10)
    assert.equal(await debug.timeline.find('nothing'), undefined)
    pairs[0]!.close()
    assert.deepEqual(await debug.timeline.newest(3), [])
  })
})
