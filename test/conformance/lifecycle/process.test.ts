import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { ADMIN_KEY } from '../../../src/testing/start-gateway.ts'
import { PROGRAM } from '../../support/program.ts'
import { rawConnect } from '../../support/raw-client.ts'
import { spawnNode } from '../../support/spawn-node.ts'
import { eventually } from '../../support/watch-recording.ts'

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n'

/** A plugin that keeps a request, and this process, for a minute. */
const SLEEPY = `export default {
  name: 'sleepy', priority: 1, schema: { type: 'object' },
  compile: () => ({ access: () => new Promise((resolve) => setTimeout(resolve, 60000)) }),
}`
const THROWS = `export default { name: 'throws', priority: 1, schema: { type: 'object' }, compile: () => ({}),
  fastify(app) { app.addHook('onClose', () => { throw new Error('boom') }) } }`

/** Times that hold on a machine that does nothing else. */
const STRICT = process.env['GATEWRIGHT_STRICT_TIMES'] === '1'

/** What a process loads before the program: it says which ports are opened, and is sent SIGTERM at some moment, once there is a handler. */
function watching(moment: string): string {
  const code = `
    import net from 'node:net'
    import { writeSync } from 'node:fs'
    let isTold = false
    function tell() {
      if (process.listenerCount('SIGTERM') === 0) { setImmediate(tell); return }
      if (isTold) return
      isTold = true
      writeSync(1, 'SIGNAL ' + Date.now() + '\\n')
      process.kill(process.pid, 'SIGTERM')
    }
    const { emit } = process
    process.emit = function (event, ...args) {
      if (event === 'SIGTERM') writeSync(1, 'HEARD\\n')
      return emit.call(this, event, ...args)
    }
    const { listen } = net.Server.prototype
    net.Server.prototype.listen = function (...args) {
      this.once('listening', () => { writeSync(1, 'BOUND\\n'); globalThis.onBound?.() })
      return listen.apply(this, args)
    }
    ${moment}`
  return `data:text/javascript,${encodeURIComponent(code)}`
}

const ANY = { ip: '127.0.0.1', port: 0 }

/** Settings of a gateway whose ports the system chooses. */
const ANYWHERE = {
  apisix: { node_listen: [ANY], ssl: { enable: false }, status: ANY, control: ANY },
  plugin_attr: { prometheus: { export_addr: ANY } },
  deployment: { admin: { admin_listen: ANY } },
  gatewright: { store: 'memory' },
}

interface LaunchOptions {
  readonly env?: Readonly<Record<string, string>>
  /** A module that is loaded before the program. */
  readonly preload?: string
}

/** The command line in a process of its own, which is not waited for. */
function launch(t: TestContext, settings: object, { env, preload }: LaunchOptions = {}) {
  const cwd = mkdtempSync(join(tmpdir(), 'gatewright-lifecycle-'))
  writeFileSync(join(cwd, 'config.yaml'), JSON.stringify(settings))
  const before = preload === undefined ? [] : ['--import', preload]
  const child: ChildProcess = spawn(process.execPath, [...before, ...PROGRAM, 'start'], {
    cwd,
    env: { ...process.env, ...env },
    // A group of its own, so that whatever a test leaves behind can be ended.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  child.stdout!.on('data', (chunk) => (text += chunk))
  child.stderr!.on('data', (chunk) => (text += chunk))
  const exited = once(child, 'exit').then(([code, signal]) => code ?? signal)
  // Its workers write there too.
  const areAllGone = once(child, 'close').then(() => true)
  t.after(async () => {
    try {
      process.kill(-child.pid!, 'SIGKILL')
    } catch {
      // Nobody is left of the group, as it should be.
    }
    await exited
    rmSync(cwd, { recursive: true, force: true })
  })
  return { child, exited, output: () => text, areAllGone }
}

/** Resolves with false, and keeps nothing alive. */
function aWhile(ms: number): Promise<boolean> {
  return new Promise((resolve) => setTimeout(resolve, ms, false).unref())
}

async function takenPort(t: TestContext): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

describe('the exit code', { concurrency: 2 }, () => {
  it('is 1, with the key and before anything is bound, for an unknown key', async (t) => {
    const { exited, output } = launch(t, { apisix: { node_lisen: 1 } })
    assert.equal(await exited, 1)
    assert.match(output(), /apisix\.node_lisen.*did you mean "apisix\.node_listen"/s)
  })

  it('is 1 for a port that is taken, and what had started is closed again', async (t) => {
    const port = await takenPort(t)
    const any = { ip: '127.0.0.1', port: 0 }
    const { exited, output } = launch(t, {
      apisix: { node_listen: [{ ip: '127.0.0.1', port }], ssl: { enable: false }, status: any, control: any },
      plugin_attr: { prometheus: { export_addr: any } },
      deployment: { admin: { admin_listen: any } },
      gatewright: { store: 'memory' },
    })
    assert.equal(await exited, 1)
    assert.match(output(), new RegExp(`port ${port} .* is taken \\(apisix\\.node_listen`))
  })

  it('is 1 when the workers take longer than they may', async (t) => {
    const gatewright = { workers: 2, upgrade: { ready_timeout_ms: 100 }, prewarm: { timeout_ms: 0 } }
    const settings = { ...ANYWHERE, gatewright: { ...ANYWHERE.gatewright, ...gatewright } }
    const { exited, output, areAllGone } = launch(t, settings)
    assert.equal(await exited, 1)
    assert.match(output(), /worker \d+ did not get ready within 100 ms/)
    assert.ok(await Promise.race([areAllGone, aWhile(5000)]), 'workers outlived the start that failed')
  })

  for (const [when, moment] of [
    ['as soon as anybody listens for it', "process.once('newListener', (event) => tell(event))"],
    ['50 ms after the process was made', 'setTimeout(tell, 50)'],
    ['in the middle of the start, when the first port has been opened', 'globalThis.onBound = tell'],
  ] as const) {
    it(`is 0 for SIGTERM ${when}, and no port is opened after it`, async (t) => {
      const { exited, output } = launch(t, ANYWHERE, { preload: watching(moment) })
      assert.equal(await exited, 0, output())
      const [, atMs] = /^SIGNAL ([\d.]+)$/m.exec(output())!
      const tookMs = Date.now() - Number(atMs)
      t.diagnostic(`it ended ${tookMs} ms after the signal`)
      assert.ok(tookMs < (STRICT ? 2000 : 20_000), `it ended ${tookMs} ms after the signal`)
      // How far a start gets before it can hear a signal is another matter in each version of Node.js.
      const lines = output().split('\n')
      assert.ok(lines.includes('HEARD'), output())
      assert.equal(lines.lastIndexOf('BOUND') > lines.indexOf('HEARD'), false, output())
    })
  }

  it('is 0 for SIGTERM while workers start, and none of them is left', async (t) => {
    const preload = `data:text/javascript,${encodeURIComponent(`
      import cluster from 'node:cluster'
      cluster.on('fork', () => process.kill(process.pid, 'SIGTERM'))
    `)}`
    const gatewright = { ...ANYWHERE.gatewright, workers: 2 }
    const { exited, output, areAllGone } = launch(t, { ...ANYWHERE, gatewright }, { preload })
    assert.equal(await exited, 0, output())
    assert.ok(
      await Promise.race([areAllGone, aWhile(5000)]),
      'workers outlived the start that was called off',
    )
  })

  it('is 2 when a request was cut at the deadline, although a timer of it still runs', async (t) => {
    const node = await spawnNode(t, {
      workers: 1,
      gatewright: { shutdown: { max_drain_ms: 500 } },
      plugins: { sleepy: SLEEPY },
    })
    await node.route('1', { uri: '/*', plugins: { sleepy: {} } })
    const client = await rawConnect(t, node.proxyPort)
    client.send(GET)
    await eventually('it is under way', async () =>
      /connections\{state="writing"\} 1/.test(await node.metrics()),
    )
    const began = performance.now()
    node.signal('SIGTERM')
    assert.equal(await node.exited, 2)
    assert.ok(performance.now() - began < 5000)
    assert.match(node.output(), /a request was cut by the stop/)
  })

  it('is 0 after POST /quitquitquit, once what is under way has ended', async (t) => {
    const held: ServerResponse[] = []
    const upstream = await fakeUpstream(t, (_request, response) => void held.push(response))
    const node = await spawnNode(t, { workers: 1, gatewright: { shutdown: { quit_enabled: true } } })
    await node.route('1', { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } })
    const client = await rawConnect(t, node.proxyPort)
    client.send(GET)
    await eventually('it is under way', () => held.length === 1)
    const quit = (key: string) =>
      fetch(`${node.controlUrl}/quitquitquit`, { method: 'POST', headers: { 'x-api-key': key } })
    assert.equal((await quit('wrong')).status, 401)
    assert.equal((await quit(ADMIN_KEY)).status, 202)
    await eventually('it stops', async () => (await node.readiness()).status === 503)
    // Whoever asks like this, and sends the signal afterwards, is no less patient.
    node.signal('SIGTERM')
    held[0]!.end('whole')
    assert.match(await client.untilClosed(), /whole/)
    assert.equal(await node.exited, 0)
  })

  it('is 2 when an onClose fails', async (t) => {
    const node = await spawnNode(t, { workers: 1, plugins: { throws: THROWS } })
    node.signal('SIGTERM')
    assert.equal(await node.exited, 2)
    assert.match(node.output(), /a hook of a plugin failed/)
  })

  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    it(`is ${code} at once for a second signal, ${signal}; SIGHUP, SIGQUIT and SIGUSR2 are ignored`, async (t) => {
      const upstream = await fakeUpstream(t, () => undefined)
      const node = await spawnNode(t, { workers: 1 })
      await node.route('1', { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } })
      const client = await rawConnect(t, node.proxyPort)
      client.send(GET)
      await eventually('it is under way', () => upstream.requests.length === 1)
      node.signal('SIGQUIT')
      await eventually('it stops', async () => (await node.readiness()).status === 503)
      const stoppedAt = performance.now()
      await eventually('it is no longer the same wish', () => performance.now() - stoppedAt > 300)
      for (const ignored of ['SIGQUIT', 'SIGHUP', 'SIGUSR2'] as const) node.signal(ignored)
      await eventually('they were heard', () => node.output().includes('the workers were not replaced'))
      assert.equal((await node.readiness()).status, 503)
      node.signal(signal)
      assert.equal(await node.exited, code)
      assert.ok(performance.now() - stoppedAt < 8000)
    })
  }
})

it('status answers, with what is missing, although etcd does not; a signal then ends the process with 0', async (t) => {
  const port = await takenPort(t)
  const status = await takenPort(t).then(async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port: free } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    return free
  })
  const any = { ip: '127.0.0.1', port: 0 }
  const { child, exited } = launch(t, {
    apisix: {
      node_listen: [any],
      ssl: { enable: false },
      status: { ip: '127.0.0.1', port: status },
      control: any,
    },
    plugin_attr: { prometheus: { export_addr: any } },
    deployment: {
      etcd: { host: [`http://127.0.0.1:${port}`], timeout: 1 },
      admin: {
        admin_listen: any,
        admin_key: [{ name: 'a', key: 'a-key-of-32-characters-0123456789', role: 'admin' }],
      },
    },
    gatewright: { store: 'etcd' },
  })
  let reasons: readonly string[] = []
  await eventually(
    'status answers',
    async () => {
      const answer = await fetch(`http://127.0.0.1:${status}/status/ready`).catch(() => undefined)
      if (answer?.status !== 503) return false
      reasons = ((await answer.json()) as { reasons: string[] }).reasons
      return true
    },
    20_000,
  )
  assert.deepEqual(reasons, ['config', 'proxy'])
  assert.equal((await fetch(`http://127.0.0.1:${status}/status`)).status, 200)
  child.kill('SIGTERM')
  assert.equal(await exited, 0)
})
