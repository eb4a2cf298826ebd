import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import type { Upstream } from '../../src/model/types.ts'
import { fakeUpstream, rawUpstream, refusingAddress } from '../../src/testing/fake-upstream.ts'
import { type StartOptions, startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'

/** Probes that come soon and decide at once. */
const SOON = {
  healthy: { interval: 1, successes: 1 },
  unhealthy: { interval: 1, http_failures: 1, tcp_failures: 1 },
}

interface ShownNode {
  readonly ip: string
  readonly port: number
  readonly status: string
  readonly counter: Readonly<Record<string, number>>
  readonly last_change?: { readonly from: string; readonly reason: string; readonly at: string }
}

function start(
  t: TestContext,
  upstream: Partial<Upstream>,
  settings: StartOptions['settings'] = {},
): Promise<TestGateway> {
  const resources = { upstreams: { 1: upstream }, routes: { 1: { uri: '/*', upstream_id: '1' } } }
  return startGateway(t, resources, { settings })
}

async function control(gateway: TestGateway, path: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`http://127.0.0.1:${gateway.addresses.control!.port}${path}`)
  return { status: response.status, body: await response.json() }
}

async function shownNodes(gateway: TestGateway): Promise<readonly ShownNode[]> {
  const { body } = await control(gateway, '/v1/healthcheck/upstreams/1')
  return (body as { nodes: ShownNode[] }).nodes
}

async function until<T>(read: () => Promise<T>, isReached: (value: T) => boolean): Promise<T> {
  const deadline = performance.now() + 8000
  for (;;) {
    const value = await read()
    if (isReached(value)) return value
    if (performance.now() > deadline) assert.fail(`not reached in time: ${JSON.stringify(value)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const untilStatus = (gateway: TestGateway, index: number, status: string) =>
  until(
    () => shownNodes(gateway),
    (nodes) => nodes[index]?.status === status,
  )

async function metrics(gateway: TestGateway): Promise<string> {
  const { port } = gateway.addresses.metrics!
  return (await fetch(`http://127.0.0.1:${port}/apisix/prometheus/metrics`)).text()
}

async function texts(gateway: TestGateway, count: number): Promise<string[]> {
  const found: string[] = []
  for (let i = 0; i < count; i++) found.push(await (await fetch(gateway.proxyUrl)).text())
  return found
}

/** A node that answers its name, and its probes with a status that the test sets. */
async function patient(t: TestContext, name: string) {
  const state = { status: 200 }
  const answer: RequestListener = (request, response) => {
    response.statusCode = request.url === '/health' ? state.status : 200
    response.end(name)
  }
  const node = await fakeUpstream(t, answer)
  const probes = () => node.requests.filter(({ url }) => url === '/health')
  return { state, node, probes }
}

describe('active checks', { concurrency: true }, () => {
  it('begin when the upstream is published, take a bad node out and bring it back, and say why', async (t) => {
    const sick = await patient(t, 'sick')
    const well = await patient(t, 'well')
    sick.state.status = 500
    const gateway = await start(t, {
      nodes: { [sick.node.address]: 1, [well.node.address]: 1 },
      checks: { active: { ...SOON, http_path: '/health', req_headers: ['X-Probe: yes'] } },
    })
    const [shown] = await untilStatus(gateway, 0, 'unhealthy')
    assert.equal(shown?.last_change?.from, 'healthy')
    assert.match(shown?.last_change?.reason ?? '', /^active check: status 500 \(http_failure 1 of 1\)$/)
    assert.deepEqual(new Set(await texts(gateway, 10)), new Set(['well']))
    const { port } = sick.node
    const series = `apisix_upstream_status{name="/apisix/upstreams/1",ip="127.0.0.1",port="${port}"}`
    assert.ok((await metrics(gateway)).includes(`${series} 0\n`))
    const [probe] = sick.probes()
    assert.deepEqual(
      [probe?.method, probe?.headers.host, probe?.headers.connection, probe?.headers['x-probe']],
      ['GET', '127.0.0.1', 'close', 'yes'],
    )
    sick.state.status = 200
    await untilStatus(gateway, 0, 'healthy')
    assert.ok((await metrics(gateway)).includes(`${series} 1\n`))
    await until(
      () => texts(gateway, 1),
      ([text]) => text === 'sick',
    )
    assert.ok(gateway.logs.some((line) => line['to'] === 'unhealthy' && line['upstream'] === 'upstreams/1'))
  })

  it('end when the upstream is removed, although a request is still under way at it', async (t) => {
    const node = await patient(t, 'a')
    const stuck = await fakeUpstream(t, () => {})
    const gateway = await start(t, {
      nodes: { [stuck.address]: 1, [node.node.address]: 0 },
      checks: { active: { ...SOON, http_path: '/health', unhealthy: { http_statuses: [599] } } },
    })
    const leaving = new AbortController()
    const pending = fetch(`${gateway.proxyUrl}/slow`, { signal: leaving.signal }).catch(() => undefined)
    await until(
      async () => node.probes().length,
      (count) => count > 0,
    )
    await gateway.admin('DELETE', 'routes/1')
    await gateway.admin('DELETE', 'upstreams/1')
    const before = node.probes().length
    assert.deepEqual((await control(gateway, '/v1/healthcheck')).body, [])
    assert.ok(!(await metrics(gateway)).includes('apisix_upstream_status{'))
    // Longer than an interval: a check that goes on would be seen.
    await new Promise((resolve) => setTimeout(resolve, 1300))
    assert.equal(node.probes().length, before)
    leaving.abort()
    await pending
  })

  it('of type tcp only connect', async (t) => {
    const connections: number[] = []
    const open = await rawUpstream(t, (socket) => {
      connections.push(1)
      socket.on('data', () => connections.push(-1))
    })
    const closed = await refusingAddress()
    const gateway = await start(t, {
      nodes: nodeList(open, closed),
      checks: { active: { ...SOON, type: 'tcp' } },
    })
    const nodes = await untilStatus(gateway, 1, 'unhealthy')
    assert.equal(nodes[0]?.status, 'healthy')
    assert.match(
      nodes[1]?.last_change?.reason ?? '',
      /^active check: .*ECONNREFUSED.* \(tcp_failure 1 of 1\)$/,
    )
    await until(
      async () => connections.length,
      (count) => count > 0,
    )
    assert.ok(!connections.includes(-1))
  })

  it('of type https show the client certificate of their upstream', async (t) => {
    const client = makeCertificate({ names: ['gateway.test'] })
    const server = createTlsServer(
      { ...makeCertificate({ names: ['a.test'] }), requestCert: true, ca: client.cert },
      (socket) => {
        socket.on('error', () => socket.destroy())
        socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\n'))
      },
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => server.close())
    const { port } = server.address() as AddressInfo
    const strict = { successes: 1, tcp_failures: 1, http_failures: 1, timeouts: 1 }
    const checks = {
      active: { type: 'https', https_verify_certificate: false, healthy: strict, unhealthy: strict },
    }
    const upstream = { scheme: 'https' as const, nodes: { [`127.0.0.1:${port}`]: 1 }, checks }
    const gateway = await start(t, upstream)
    await untilStatus(gateway, 0, 'unhealthy')
    const tls = { client_cert: client.cert, client_key: client.key }
    // An answer is what shows that the handshake was accepted, so it is made to count.
    await gateway.put('upstreams', '1', {
      ...upstream,
      tls,
      checks: {
        active: {
          ...checks.active,
          unhealthy: { ...strict, http_statuses: [200] },
          healthy: { http_statuses: [418] },
        },
      },
    })
    const [node] = await untilStatus(gateway, 0, 'unhealthy')
    assert.match(node?.last_change?.reason ?? '', /status 200/)
  })

  it('keep what they know over an edit that leaves them alone, and begin anew when they are edited', async (t) => {
    const well = await patient(t, 'well')
    const dead = await refusingAddress()
    const checks = { active: { ...SOON, http_path: '/health' } }
    const upstream = { nodes: nodeList(dead, well.node.address), checks }
    const gateway = await start(t, upstream)
    const [before] = await untilStatus(gateway, 0, 'unhealthy')
    await gateway.put('upstreams', '1', {
      ...upstream,
      nodes: nodeList(dead, well.node.address, await refusingAddress()),
    })
    const [kept] = await shownNodes(gateway)
    assert.deepEqual([kept?.status, kept?.last_change?.at], ['unhealthy', before?.last_change?.at])
    const slower = { active: { ...checks.active, healthy: { interval: 60, successes: 1 } } }
    await gateway.put('upstreams', '1', { ...upstream, checks: slower })
    assert.equal((await shownNodes(gateway))[0]?.status, 'healthy')
  })

  it('are the business of data planes, not of a control plane', async (t) => {
    const node = await fakeUpstream(t)
    const upstream = { nodes: { [node.address]: 1 }, checks: { active: SOON } }
    const gateway = await start(t, upstream, { 'deployment.role': 'control_plane' })
    assert.deepEqual((await control(gateway, '/v1/healthcheck')).body, [])
  })

  it('are all off with `apisix.disable_upstream_healthcheck`', async (t) => {
    const node = await patient(t, 'a')
    const gateway = await start(
      t,
      { nodes: { [node.node.address]: 1 }, checks: { active: SOON } },
      { 'apisix.disable_upstream_healthcheck': true },
    )
    assert.deepEqual((await control(gateway, '/v1/healthcheck')).body, [])
    assert.deepEqual(await control(gateway, '/v1/healthcheck/upstreams/1'), {
      status: 404,
      body: { error_msg: 'no checker for upstreams[1]' },
    })
    assert.deepEqual(await texts(gateway, 1), ['a'])
  })
})

function nodeList(...addresses: readonly string[]): NonNullable<Upstream['nodes']> {
  return addresses.map((address) => {
    const [host = '', port] = address.split(':')
    return { host, port: Number(port), weight: 1 }
  })
}

/** Probes that say nothing for the length of a test. */
const NEVER = { type: 'tcp', healthy: { interval: 3600 }, unhealthy: { interval: 3600, tcp_failures: 254 } }

describe('passive checks', () => {
  it('take a node out after two refused connections, even without a passive section', async (t) => {
    const well = await fakeUpstream(t)
    const dead = await refusingAddress()
    const gateway = await start(t, { nodes: nodeList(dead, well.address), checks: { active: NEVER } })
    await texts(gateway, 6)
    const [node] = await shownNodes(gateway)
    assert.deepEqual([node?.status, node?.counter['tcp_failure']], ['unhealthy', 2])
    assert.match(node?.last_change?.reason ?? '', /^passive check: .*ECONNREFUSED.* \(tcp_failure 2 of 2\)$/)
  })

  it('count the last answer by the lists, only with a passive section', async (t) => {
    const failing = await fakeUpstream(t, (_request, response) => {
      response.statusCode = 503
      response.end()
    })
    const well = await fakeUpstream(t)
    const nodes = nodeList(failing.address, well.address)
    const gateway = await start(t, { nodes, checks: { active: NEVER } })
    await texts(gateway, 4)
    assert.equal((await shownNodes(gateway))[0]?.counter['http_failure'], 0)
    const passive = { unhealthy: { http_statuses: [503], http_failures: 2 } }
    await gateway.put('upstreams', '1', { nodes, checks: { active: NEVER, passive } })
    await texts(gateway, 6)
    const [node, other] = await shownNodes(gateway)
    assert.deepEqual([node?.status, node?.counter['http_failure']], ['unhealthy', 2])
    assert.equal(other?.status, 'healthy')
    assert.equal(failing.requests.length, 4)
  })
})

describe('an upstream without a healthy node', () => {
  it('uses all of them, which is told once and counted', async (t) => {
    const passive = { unhealthy: { http_statuses: [418], http_failures: 1 } }
    const refuse: RequestListener = (_request, response) => {
      response.statusCode = 418
      response.end()
    }
    const one = await fakeUpstream(t, refuse)
    const other = await fakeUpstream(t, refuse)
    const gateway = await start(t, {
      nodes: nodeList(one.address, other.address),
      checks: { active: NEVER, passive },
    })
    await texts(gateway, 10)
    assert.deepEqual([one.requests.length, other.requests.length], [5, 5])
    const lines = gateway.logs.filter(({ msg }) => String(msg).includes('all of them are used'))
    assert.equal(lines.length, 1)
    assert.ok(
      (await metrics(gateway)).includes('gatewright_upstream_panic_total{upstream="upstreams/1"} 1\n'),
    )
    await gateway.admin('DELETE', 'routes/1')
    await gateway.admin('DELETE', 'upstreams/1')
    assert.ok(!(await metrics(gateway)).includes('gatewright_upstream_panic_total{'))
  })
})

describe('a dead upstream', () => {
  it('gets at most a fifth more attempts than requests, and three', async (t) => {
    const REQUESTS = 100
    let attempts = 0
    const held = new Set<{ destroy(): void }>()
    const onConnection = (socket: { on(event: 'data', run: () => void): void; destroy(): void }) => {
      socket.on('data', () => {
        attempts++
        held.add(socket)
        // The first attempt of every request fails at one moment, so that all of them want to retry at once.
        if (attempts >= REQUESTS) for (const one of held) one.destroy()
      })
    }
    const nodes = nodeList(await rawUpstream(t, onConnection), await rawUpstream(t, onConnection))
    const gateway = await start(t, { nodes })
    const answers = await Promise.all(
      Array.from({ length: REQUESTS }, async () => (await fetch(gateway.proxyUrl)).status),
    )
    assert.deepEqual(new Set(answers), new Set([502]))
    assert.ok(attempts > REQUESTS && attempts <= REQUESTS * 1.2 + 3, `${attempts} attempts`)
    const refused = /gatewright_upstream_retries_refused_total\{upstream="upstreams\/1"\} (\d+)/.exec(
      await metrics(gateway),
    )
    assert.equal(Number(refused?.[1]) + attempts, 2 * REQUESTS)
  })
})

describe('the control API', () => {
  it('shows the checks of any resource that has them, and says what is wrong with a question', async (t) => {
    const node = await fakeUpstream(t)
    const gateway = await start(t, { nodes: { [node.address]: 1 } })
    const inline = { nodes: { [node.address]: 1 }, checks: { active: { host: 'a.test', port: 9 } } }
    await gateway.put('services', '7', { upstream: inline })
    const { status, body } = await control(gateway, '/v1/healthcheck/services/7')
    assert.equal(status, 200)
    const counter = { success: 0, http_failure: 0, tcp_failure: 0, timeout_failure: 0 }
    const shown = { ip: '127.0.0.1', port: 9, hostname: 'a.test', status: 'healthy', counter }
    const report = { name: '/apisix/services/7', type: 'http', nodes: [shown] }
    assert.deepEqual(body, report)
    for (const [path, wanted, message] of [
      ['upstreams/1', 404, 'no checker for upstreams[1]'],
      ['upstreams/2', 404, 'upstreams[2] not found'],
      ['stream_routes/2', 404, 'stream_routes[2] not found'],
      ['routes', 404, 'missing src id for src type routes'],
      ['consumers/2', 400, 'invalid src type consumers'],
    ] as const) {
      const answer = await control(gateway, `/v1/healthcheck/${path}`)
      assert.deepEqual(answer, { status: wanted, body: { error_msg: message } }, path)
    }
  })
})
