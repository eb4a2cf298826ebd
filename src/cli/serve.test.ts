import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, it, type TestContext } from 'node:test'
import type { Settings } from '../settings/settings.ts'
import type { Addresses, CliContext, LaunchedGateway } from './command.ts'
import { runCli } from './run-cli.ts'

interface Bench extends CliContext {
  readonly notes: string[]
  readonly events: EventEmitter
  readonly launched: Settings[]
  readonly stops: string[]
}

const ADDRESSES: Addresses = {
  proxy: [{ ip: '0.0.0.0', port: 9080 }],
  tls: [{ ip: '0.0.0.0', port: 9443 }],
  admin: { ip: '127.0.0.1', port: 9180 },
  status: { ip: '::1', port: 7085 },
  metrics: { ip: '127.0.0.1', port: 9091 },
}

/** A command line around a gateway that stops itself with SIGTERM once it has been announced. */
function bench(t: TestContext, own: Partial<LaunchedGateway> = {}): Bench {
  const workingDirectory = mkdtempSync(join(tmpdir(), 'gatewright-serve-'))
  t.after(() => rmSync(workingDirectory, { recursive: true }))
  const notes: string[] = []
  const events = new EventEmitter()
  const launched: Settings[] = []
  const stops: string[] = []
  const stop: LaunchedGateway['stop'] = async (reason) => {
    stops.push(reason)
    return { forced: 0 }
  }
  return {
    env: {},
    workingDirectory,
    print: () => assert.fail('standard output belongs to the logs'),
    note: (line) => {
      notes.push(line)
      if (line.startsWith('gatewright ')) setImmediate(() => events.emit('SIGTERM'))
    },
    events,
    launch: async (settings) => {
      launched.push(settings)
      return { start: async () => ADDRESSES, stop, isContained: () => false, ...own }
    },
    notes,
    launched,
    stops,
  }
}

describe('gatewright start', () => {
  it('says where everything listens and ends with 0 after SIGTERM', async (t) => {
    const at = bench(t)
    assert.equal(await runCli(['start'], at), 0)
    assert.deepEqual(at.stops, ['SIGTERM'])
    const lines = at.notes.join('\n')
    assert.match(lines, /^gatewright \S+, store: embedded, \/.*data\/store$/m)
    assert.match(lines, /^ {2}proxy +http:\/\/0\.0\.0\.0:9080$/m)
    assert.match(lines, /^ {2}proxy +https:\/\/0\.0\.0\.0:9443$/m)
    assert.match(lines, /^ {2}admin +http:\/\/127\.0\.0\.1:9180\/apisix\/admin$/m)
    assert.match(lines, /^ {2}status +http:\/\/\[::1\]:7085\/status$/m)
    assert.match(lines, /^ {2}metrics +http:\/\/127\.0\.0\.1:9091\/apisix\/prometheus\/metrics$/m)
    assert.doesNotMatch(lines, /^ {2}control/m)
  })

  it('prints the generated key at the first start and afterwards only where it is', async (t) => {
    const at = bench(t)
    await runCli(['start'], at)
    const key = readFileSync(join(at.workingDirectory, 'data', 'admin.key'), 'utf8').trim()
    assert.equal(at.notes.filter((line) => line.includes(key)).length, 1)
    assert.equal(at.launched[0]?.deployment.admin.admin_key[0]?.key, key)

    at.notes.length = 0
    await runCli(['start'], at)
    assert.equal(at.notes.join('\n').includes(key), false)
    assert.match(at.notes.join('\n'), /^admin key: in .*data\/admin\.key$/m)
    assert.equal(at.launched[1]?.deployment.admin.admin_key[0]?.key, key)
  })

  it('ends with 1 and the cause when the gateway cannot start', async (t) => {
    const at = bench(t, { start: () => Promise.reject(new Error('no such disk')) })
    assert.equal(await runCli(['start'], at), 1)
    assert.equal(at.notes.at(-1), 'the gateway cannot start: no such disk')
    assert.equal(at.stops.length, 1)
  })

  it('names the key of a port that is taken', async (t) => {
    const taken = Object.assign(new Error('x'), { code: 'EADDRINUSE', address: '127.0.0.1', port: 9180 })
    const at = bench(t, { start: () => Promise.reject(taken) })
    assert.equal(await runCli(['start'], at), 1)
    assert.match(
      at.notes.at(-1) ?? '',
      /port 9180 on 127\.0\.0\.1 is taken \(deployment\.admin\.admin_listen\);/,
    )
  })

  it('ends with 0 on a signal that comes before the gateway is put together', async (t) => {
    const at = bench(t)
    const launch = () => new Promise<never>(() => at.events.emit('SIGTERM'))
    assert.equal(await runCli(['start'], { ...at, launch }), 0)
    assert.deepEqual(at.stops, [])
  })

  it('ends with 2 when work was cut', async (t) => {
    const at = bench(t, { stop: async () => ({ forced: 3 }) })
    assert.equal(await runCli(['start'], at), 2)
  })
})

interface AdminCall {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: Record<string, unknown>
}

/** Stands in for the admin API and keeps what it was told. */
async function adminStandIn(t: TestContext, status: number): Promise<{ port: number; calls: AdminCall[] }> {
  const calls: AdminCall[] = []
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request
    calls.push({ method, url, headers, body: JSON.parse(await text(request)) })
    response.writeHead(status, { connection: 'close' }).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return { port: (server.address() as AddressInfo).port, calls }
}

describe('gatewright dev', () => {
  it('keeps everything in memory and proxies every path to the given server', async (t) => {
    const admin = await adminStandIn(t, 201)
    const addresses = { ...ADDRESSES, admin: { ip: '0.0.0.0', port: admin.port } }
    const at = bench(t, { start: async () => addresses })
    const args = ['dev', '--to', 'http://127.0.0.1:3000', '--port', '0', '--admin-port', '0']
    assert.equal(await runCli(args, at), 0)

    const settings = at.launched[0]!
    assert.equal(settings.store.type, 'memory')
    assert.deepEqual(settings.apisix.node_listen, [{ ip: '127.0.0.1', port: 0 }])
    assert.equal(settings.deployment.admin.admin_listen.port, 0)
    const [{ key, role } = { key: '', role: '' }] = settings.deployment.admin.admin_key
    assert.equal(role, 'admin')
    assert.match(at.notes.at(-1) ?? '', new RegExp(key))

    assert.equal(admin.calls.length, 1)
    const [call] = admin.calls
    assert.deepEqual(
      [call?.method, call?.url, call?.headers['x-api-key']],
      ['PUT', '/apisix/admin/routes/dev', key],
    )
    assert.equal(call?.body['uri'], '/*')
    assert.deepEqual(call?.body['upstream'], {
      type: 'roundrobin',
      scheme: 'http',
      pass_host: 'node',
      nodes: { '127.0.0.1:3000': 1 },
    })
  })

  it('takes the port of the scheme where the URL has none', async (t) => {
    const admin = await adminStandIn(t, 201)
    const at = bench(t, {
      start: async () => ({ ...ADDRESSES, admin: { ip: '127.0.0.1', port: admin.port } }),
    })
    assert.equal(await runCli(['dev', '--to', 'https://api.example'], at), 0)
    const upstream = admin.calls[0]?.body['upstream'] as { scheme: string; nodes: object }
    assert.deepEqual([upstream.scheme, upstream.nodes], ['https', { 'api.example:443': 1 }])
  })

  it('ends with 1 when the route is refused', async (t) => {
    const admin = await adminStandIn(t, 400)
    const at = bench(t, {
      start: async () => ({ ...ADDRESSES, admin: { ip: '127.0.0.1', port: admin.port } }),
    })
    assert.equal(await runCli(['dev', '--to', 'http://a:1'], at), 1)
    assert.match(at.notes.at(-1) ?? '', /refused: 400/)
  })

  it('starts without a target too', async (t) => {
    const at = bench(t)
    assert.equal(await runCli(['dev'], at), 0)
    assert.equal(at.launched[0]?.store.type, 'memory')
  })
})
