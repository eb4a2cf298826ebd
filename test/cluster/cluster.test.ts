import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { it, type TestContext } from 'node:test'
import { decodeTraces } from '../support/otlp-receiver.ts'
import { eventually } from '../support/watch-recording.ts'
import { type ComposeCluster, GATEWAYS, type Part, SAMPLES, startComposeCluster } from './compose-cluster.ts'
import { type LoadReport, startLoad } from './load.ts'
import { missingForNetworks } from './namespaces.ts'

const PAGE = resolve(import.meta.dirname, '../../docs/operate/compose/README.md')
/** How long etcd is out of reach, or away. */
const OUTAGE_MS = 4000
/** From the moment that the network is whole again to the newest configuration. */
const CONVERGENCE_LIMIT_MS = 2000

const SKIP = missingForNetworks(['ip', 'haproxy', 'etcd'])

/** The requests to the admin API that the page tells people to copy. */
function requestsOf(page: string): { path: string; body: string }[] {
  const commands = page.matchAll(/^curl -X PUT \$ADMIN\/(\S+) .* -d '\n([^']+)'$/gm)
  return [...commands].map(([, path, body]) => ({ path: path!, body: body! }))
}

/** Names of the spans that arrive, as Jaeger would get them. */
async function spanNames(t: TestContext): Promise<{ port: number; names: Set<string> }> {
  const names = new Set<string>()
  const server = createServer(async (request, response) => {
    const { spans } = decodeTraces(Buffer.concat(await request.toArray()))
    for (const { name } of spans) names.add(name)
    response.end()
  })
  await new Promise<void>((done) => server.listen(0, '0.0.0.0', done))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, names }
}

const METRICS = '9091/apisix/prometheus/metrics'
const CONNECTIONS = 20

/** Keeps asking the sample through the balancer while `work` is done; no more requests than told may fail, none unless told. */
async function underLoad(
  { cluster, t, mayFail = 0 }: { cluster: ComposeCluster; t: TestContext; mayFail?: number },
  work: () => Promise<void>,
): Promise<LoadReport> {
  const load = startLoad({
    url: `${cluster.proxyUrl}/hello`,
    requestsPerSecond: 150,
    connections: CONNECTIONS,
    expected: 'hello from sample-',
  })
  let report: LoadReport
  try {
    await work()
  } finally {
    report = await load.stop()
  }
  const { sent, failures, slowestMs } = report
  t.diagnostic(`${failures.length} of ${sent} requests failed; the slowest took ${Math.round(slowestMs)} ms`)
  assert.ok(failures.length <= mayFail, failures.slice(0, 10).join('\n'))
  assert.ok(sent > 0, 'no request was sent')
  return report
}

function markedRoute(mark: string): string {
  const mocking = { response_example: mark, content_type: 'text/plain' }
  return JSON.stringify({ uri: '/mark', plugins: { mocking } })
}

/** Marks of a configuration: each write changes what every answer of the route carries. */
class Marks {
  readonly #cluster: ComposeCluster
  #count = 0

  constructor(cluster: ComposeCluster) {
    this.#cluster = cluster
  }

  /** Writes the next mark by way of the gateway, or the balancer; tries again for as long as the store has no leader. */
  async write(gateway?: string): Promise<string> {
    const mark = `mark-${++this.#count}`
    await eventually(`${mark} is written`, async () => {
      try {
        return (await this.#cluster.admin('PUT', 'routes/mark', markedRoute(mark), gateway)).status < 300
      } catch {
        // Nobody answers in time while the store chooses a leader; the next attempt says whether it has.
        return false
      }
    })
    return mark
  }

  async at(gateway: string): Promise<string> {
    return (await this.#cluster.read(gateway, '9080/mark').catch(() => '')).trim()
  }

  async arrives(mark: string, gateway: string, limitMs: number): Promise<void> {
    await eventually(`${gateway} serves ${mark}`, async () => (await this.at(gateway)) === mark, limitMs)
  }
}

async function isReachable(cluster: ComposeCluster, gateway: string): Promise<boolean> {
  return /^apisix_etcd_reachable 1$/m.test(await cluster.read(gateway, METRICS))
}

async function notices(cluster: ComposeCluster, gateway: string): Promise<void> {
  const isCut = async () => !(await isReachable(cluster, gateway))
  await eventually(`${gateway} notices that etcd is away`, isCut, 20_000)
  assert.equal((await fetch(`http://${cluster.network.address(gateway)}:7085/status/ready`)).status, 200)
}

it('the cluster of docker-compose.yml, as plain processes', { skip: SKIP }, async (t) => {
  const spans = await spanNames(t)
  const cluster = await startComposeCluster(t, spans.port)
  const marks = new Marks(cluster)

  await t.test('serves what the page tells people to copy', async () => {
    const requests = requestsOf(readFileSync(PAGE, 'utf8'))
    assert.deepEqual(
      requests.map(({ path }) => path),
      ['global_rules/observe', 'routes/sample'],
    )
    for (const { path, body } of requests) {
      const { status, text } = await cluster.admin('PUT', path, body)
      assert.equal(status, 201, text)
    }
    const askOnce = async () => {
      const answer = await fetch(`${cluster.proxyUrl}/hello`, { headers: { connection: 'close' } })
      return answer.text()
    }
    const seen = new Set<string>()
    await eventually('every instance of the sample answers', async () => {
      seen.add(await askOnce())
      return SAMPLES.every((name) => seen.has(`hello from ${name}, /hello\n`))
    })
    await eventually('both gateways count requests', async () => {
      await askOnce()
      const texts = await Promise.all(GATEWAYS.map((name) => cluster.read(name, METRICS)))
      return texts.every((text) => /^apisix_http_status\{code="200",route="sample"/m.test(text))
    })
    await eventually('traces arrive', () => [...spans.names].some((name) => name.startsWith('GET /')))
  })

  await t.test('replaces both gateways, one after the other, without losing a request', async (t) => {
    await underLoad({ cluster, t }, async () => {
      for (const gateway of cluster.gateways) {
        assert.equal(await gateway.end('SIGTERM'), 0, gateway.output())
        gateway.start()
        await cluster.balanced(GATEWAYS)
      }
    })
  })

  await t.test('loses any one member of etcd: no request fails, and changes still arrive', async (t) => {
    await underLoad({ cluster, t }, async () => {
      for (const member of cluster.members) {
        await member.end('SIGKILL')
        const mark = await marks.write()
        for (const gateway of GATEWAYS) await marks.arrives(mark, gateway, 5000)
        member.start()
        await cluster.healthy(member.host)
      }
    })
  })

  await t.test('goes on while a gateway is cut off from etcd, which catches up within 2 s', async (t) => {
    const [whole, apart] = GATEWAYS
    const before = await marks.write()
    for (const gateway of GATEWAYS) await marks.arrives(before, gateway, 5000)
    await underLoad({ cluster, t }, async () => {
      for (const { host } of cluster.members) cluster.network.cut(apart, host)
      const missed = await marks.write(whole)
      await marks.arrives(missed, whole, 5000)
      await notices(cluster, apart)
      // Its attempts to connect are as far apart by then as they get.
      await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS))
      assert.equal(await marks.at(apart), before)
      for (const { host } of cluster.members) cluster.network.mend(apart, host)
      const mendedAtMs = performance.now()
      await marks.arrives(missed, apart, CONVERGENCE_LIMIT_MS)
      t.diagnostic(
        `it caught up ${Math.round(performance.now() - mendedAtMs)} ms after the network was whole`,
      )
    })
  })

  await t.test('loses all of etcd: requests go on, writes are refused, and taken again after', async (t) => {
    await underLoad({ cluster, t }, async () => {
      for (const member of cluster.members) await member.end('SIGKILL')
      const startedMs = performance.now()
      const { status, text } = await cluster.admin('PUT', 'routes/refused', markedRoute('refused'))
      assert.equal(status, 503, text)
      t.diagnostic(`the admin API refused after ${Math.round(performance.now() - startedMs)} ms`)
      for (const gateway of GATEWAYS) await notices(cluster, gateway)
      await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS))
      for (const member of cluster.members) member.start()
      for (const { host } of cluster.members) await cluster.healthy(host)
      const mark = await marks.write()
      for (const gateway of GATEWAYS) await marks.arrives(mark, gateway, 5000)
    })
  })

  await t.test('loses a gateway without warning: only what was under way fails', async (t) => {
    const [lost] = cluster.gateways
    await underLoad({ cluster, t, mayFail: CONNECTIONS }, async () => {
      await lost!.end('SIGKILL')
      const mark = await marks.write()
      await marks.arrives(mark, GATEWAYS[1], 5000)
      lost!.start()
      await cluster.balanced(GATEWAYS)
      await marks.arrives(mark, GATEWAYS[0], 5000)
    })
  })

  await t.test(
    'loses no request when an instance of the service stops, nor when one is killed',
    async (t) => {
      const [stopped, killed] = cluster.samples
      await underLoad({ cluster, t }, async () => {
        assert.equal(await stopped!.end('SIGTERM'), 0, stopped!.output())
        await killed!.end('SIGKILL')
        for (const part of [stopped!, killed!]) part.start()
        const isBack = (part: Part) => () => /^registered as/m.test(part.output())
        for (const part of [stopped!, killed!]) {
          await eventually(`${part.host} is registered`, isBack(part), 20_000)
        }
      })
    },
  )
})
