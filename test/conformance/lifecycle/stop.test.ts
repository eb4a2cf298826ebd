import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { AnyPlugin } from '../../../src/plugin/definition.ts'
import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { type StartOptions, startGateway } from '../../../src/testing/start-gateway.ts'
import { rawConnect } from '../../support/raw-client.ts'
import { eventually } from '../../support/watch-recording.ts'

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n'

async function stage(t: TestContext, options: StartOptions = {}) {
  const held: ServerResponse[] = []
  const upstream = await fakeUpstream(t, (_request, response) => void held.push(response))
  const route = { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } }
  const gateway = await startGateway(t, { routes: { 1: route } }, options)
  const status = async (path: string) => {
    const { port } = gateway.addresses.status!
    return fetch(`http://127.0.0.1:${port}${path}`)
  }
  return { gateway, held, status }
}

type Hooks = Readonly<Record<string, (...args: unknown[]) => unknown>>

/** A plugin that adds hooks to the Fastify instance it is given. */
function hooked(name: string, priority: number, hooks: Hooks) {
  const plugin = {
    name,
    priority,
    schema: { type: 'object' },
    compile: () => ({}),
    fastify(app: { addHook(hook: string, run: unknown): unknown }) {
      for (const [hook, run] of Object.entries(hooks)) app.addHook(hook, run)
    },
  } as unknown as AnyPlugin
  return { [name]: async () => ({ default: plugin }) }
}

describe('D1, D4: while the gateway still accepts', () => {
  it('is not ready, lives, serves with connection: close, and names what it waits for', async (t) => {
    const { gateway, held, status } = await stage(t, {
      settings: { 'gatewright.shutdown.min_drain_ms': 400 },
    })
    const stopped = gateway.stop()
    const ready = await status('/status/ready')
    const { status: word, pending } = (await ready.json()) as { status: string; pending: unknown[] }
    assert.deepEqual([ready.status, word], [503, 'draining'])
    assert.ok(pending.length > 0)
    assert.equal((await status('/status')).status, 200)
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(GET)
    await eventually('the upstream has it', () => held.length === 1)
    held[0]!.end('ok')
    assert.match(await client.untilClosed(), /^HTTP\/1\.1 200.*connection: close.*ok/is)
    assert.deepEqual(await stopped, { forced: 0 })
  })
})

describe('the components', () => {
  it('are shown with what each is doing and who has not acknowledged the stop', async (t) => {
    const { gateway, held } = await stage(t)
    const components = async () => {
      const { port } = gateway.addresses.control!
      return (await (await fetch(`http://127.0.0.1:${port}/v1/components`)).json()) as {
        phase: string
        components: { name: string; state: string }[]
        drain?: { pending: { component: string; count: number }[] }
      }
    }
    const before = await components()
    assert.equal(before.phase, 'running')
    assert.ok(before.components.every(({ state }) => state === 'running'))
    assert.deepEqual(
      ['status', 'store', 'configuration', 'prewarm', 'proxy', 'cluster'].filter((name) =>
        before.components.some((one) => one.name === name),
      ).length,
      6,
    )
    const answer = fetch(gateway.proxyUrl)
    await eventually('the upstream has it', () => held.length === 1)
    const stopped = gateway.stop()
    await eventually('it stops the proxy', async () =>
      (await components()).components.some(({ name, state }) => name === 'proxy' && state === 'stopping'),
    )
    const during = await components()
    assert.equal(during.phase, 'draining')
    assert.deepEqual(
      during.drain?.pending.find(({ component }) => component === 'requests'),
      { component: 'requests', count: 1 },
    )
    assert.ok(during.drain?.pending.some(({ component }) => component === 'proxy'))
    held[0]!.end('ok')
    assert.equal(await (await answer).text(), 'ok')
    assert.deepEqual(await stopped, { forced: 0 })
  })
})

describe('D5: a stream of events', () => {
  it('ends as a whole answer does, after the event that is under way', async (t) => {
    const { gateway, held } = await stage(t)
    const answer = fetch(gateway.proxyUrl)
    await eventually('the upstream has it', () => held.length === 1)
    held[0]!.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\ndata: tw')
    const reader = (await answer).body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.endsWith('tw')) text += (await reader.read()).value ?? assert.fail('it ended')
    const stopped = gateway.stop()
    await eventually('it does not accept', () =>
      fetch(gateway.proxyUrl).then(
        () => false,
        () => true,
      ),
    )
    held[0]!.write('o\n\ndata: 3\n\n')
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value
    assert.match(text, /^data: 1\n\ndata: two\n\n(data: 3\n\n)?: the gateway stops\n\n$/)
    assert.deepEqual(await stopped, { forced: 0 })
  })
})

describe('D9: at the deadline', () => {
  it('each request that is cut is in the log, with its route and age', async (t) => {
    const { gateway, held } = await stage(t, { settings: { 'gatewright.shutdown.max_drain_ms': 200 } })
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(GET)
    await eventually('the upstream has it', () => held.length === 1)
    const began = performance.now()
    assert.deepEqual(await gateway.stop(), { forced: 1 })
    const tookMs = performance.now() - began
    assert.ok(tookMs > 190 && tookMs < 1200, `it took ${tookMs} ms`)
    const cut = gateway.logs.filter(({ ageMs }) => ageMs !== undefined)
    assert.deepEqual(
      cut.map(({ route, path }) => [route, path]),
      [['1', '/x']],
    )
    const last = gateway.logs.find(({ tookMs }) => tookMs !== undefined)!
    assert.deepEqual(last['forced'], [
      { component: 'requests', count: 1 },
      { component: 'connections', count: 1 },
    ])
  })
})

describe('D10: plugins', () => {
  it('have onListen and preClose, and an onClose that fails or hangs keeps nobody from theirs, nor the log', async (t) => {
    const trace: string[] = []
    const folder = await mkdtemp(join(tmpdir(), 'gatewright-stop-'))
    t.after(() => rm(folder, { recursive: true }))
    const log = join(folder, 'access.log')
    const note = (word: string) => async () => void trace.push(word)
    const boom = async () => Promise.reject(new Error('boom'))
    const { gateway, held } = await stage(t, {
      settings: {
        'gatewright.shutdown.plugin_close_ms': 100,
        'gatewright.log.access_log': log,
      },
      plugins: {
        ...hooked('first', 30, {
          onListen: note('listen'),
          preClose: note('preClose'),
          onClose: note('first'),
        }),
        ...hooked('broken', 20, { onListen: boom, preClose: boom, onClose: boom }),
        ...hooked('hung', 15, { onClose: () => new Promise(() => undefined) }),
        ...hooked('last', 10, { preClose: note('preClose last'), onClose: note('last') }),
      },
    })
    assert.deepEqual(trace, ['listen'])
    const client = await rawConnect(t, gateway.proxyPort)
    client.send(GET)
    await eventually('the upstream has it', () => held.length === 1)
    const stopped = gateway.stop()
    await eventually('preClose was called', () => trace.includes('preClose last'))
    held[0]!.end('late')
    assert.match(await client.untilClosed(), /late/)
    assert.deepEqual(await stopped, { forced: 2 })
    assert.deepEqual(trace, ['listen', 'preClose', 'preClose last', 'last', 'first'])
    const lines = (await readFile(log, 'utf8')).trim().split('\n')
    assert.equal(lines.length, 1)
    assert.match(lines[0]!, /"GET \/x/)
  })
})
