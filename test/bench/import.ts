import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { Agent, createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { stringify } from 'yaml'
import { ADMIN_KEY, startWatchedGateway, type WatchedGateway } from './servers/watched-gateway.ts'
import { quantile, renderTable } from './statistics.ts'

export const ROUTES = 10_000
const CLIENTS = 4
export const WRITERS = 16
const WARM_UP_MS = 3_000
const VISIBLE_DEADLINE_MS = 120_000

interface Figures {
  readonly what: string
  /** Until the last route was served. */
  readonly seconds: number
  readonly loopMaxMs: number
  readonly loopP99Ms: number
  readonly requestMaxMs: number
  readonly requestP99Ms: number
}

/** What an import of many routes does to the requests of the same process: goal, no stall of the event loop above 50 ms. */
export async function run(): Promise<void> {
  const origin = createServer((_request, response) => response.end('ok')).listen(0, '127.0.0.1')
  await once(origin, 'listening')
  const port = (origin.address() as AddressInfo).port
  const figures = [...(await importWhole(port)), await importFile(port), await importOneByOne(port)]
  origin.close()
  origin.closeAllConnections()
  const ms = (value: number) => value.toFixed(1)
  console.log(
    `import of ${ROUTES} routes while ${CLIENTS} clients send requests (goal: event loop never held above 50 ms)`,
  )
  console.log(
    renderTable([
      ['', 'seconds', 'loop max ms', 'loop p99 ms', 'request max ms', 'request p99 ms'],
      ...figures.map((row) => [
        row.what,
        row.seconds.toFixed(2),
        ms(row.loopMaxMs),
        ms(row.loopP99Ms),
        ms(row.requestMaxMs),
        ms(row.requestP99Ms),
      ]),
    ]),
  )
}

/** One of the many routes; `edition` shows in the limit that its answers name. */
export function routeAt(index: number, port: number, edition = 0): Record<string, unknown> {
  return {
    id: `r${index}`,
    uri: index % 2 === 0 ? `/api/v1/service-${index}/items` : `/api/v1/service-${index}/*`,
    desc: `edition ${edition}`,
    plugins: {
      'limit-count': { count: 1000 + edition, time_window: 60, key_type: 'constant', key: String(index) },
    },
    upstream: { nodes: { [`127.0.0.1:${port}`]: 1 } },
  }
}

/** A path that only this route answers. */
export const pathOf = (index: number) => `/api/v1/service-${index}/items`

/** So many routes beside the one of the load. */
function routes(port: number, count: number, edition: number): object {
  const many = Array.from({ length: count }, (_, i) => routeAt(i, port, edition))
  return { routes: [{ ...routeAt(-1, port), uri: '/load' }, ...many] }
}

async function importFile(port: number): Promise<Figures> {
  const settings = {
    'deployment.role': 'data_plane',
    'deployment.role_data_plane.config_provider': 'yaml',
  }
  const prepare = async (directory: string) => {
    await writeFile(join(directory, 'apisix.yaml'), `${stringify(routes(port, 0, 0))}#END\n`)
    await writeFile(join(directory, 'next'), `${stringify(routes(port, ROUTES, 0))}#END\n`)
  }
  return withGateway({ settings, prepare }, async (gateway, directory) => {
    await warmUp(gateway)
    return measureImport(gateway, 'apisix.yaml, all new', async () => {
      await rename(join(directory, 'next'), join(directory, 'apisix.yaml'))
      await untilStatus(gateway, pathOf(ROUTES - 1), 200)
    })
  })
}

async function importWhole(port: number): Promise<Figures[]> {
  const settings = { 'deployment.role_traditional.config_provider': 'yaml' }
  return withGateway({ settings }, async (gateway) => {
    let puts = 0
    /** Made beforehand: writing a long text takes time that is not the gateway's. */
    const prepare = (document: object, isYaml = false) => {
      const body = isYaml ? stringify(document) : JSON.stringify(document)
      const type = isYaml ? 'application/yaml' : 'application/json'
      return async () => {
        const headers = { 'x-digest': `${puts++}`, 'content-type': type }
        const status = await send(gateway, { path: '/configs', headers, body })
        if (status !== 202) throw new Error(`configs was answered with ${status}`)
      }
    }
    const nothing = prepare(routes(port, 0, 0))
    const first = prepare(routes(port, ROUTES, 0))
    const second = prepare(routes(port, ROUTES, 1))
    const third = prepare(routes(port, ROUTES, 2), true)
    const last = ROUTES - 1
    await nothing()
    await warmUp(gateway)
    const measure = (what: string, act: () => Promise<unknown>) => measureImport(gateway, what, act)
    return [
      await measure('configs, all new', async () => {
        await first()
        await untilStatus(gateway, pathOf(last), 200)
      }),
      await measure('configs, nothing changed', first),
      await measure('configs, all changed', async () => {
        await second()
        await untilLimit(gateway, pathOf(last), 1001)
      }),
      await measure('configs, all changed, YAML', async () => {
        await third()
        await untilLimit(gateway, pathOf(last), 1002)
      }),
      await measure('configs, all removed', async () => {
        await nothing()
        await untilStatus(gateway, pathOf(last), 404)
      }),
    ]
  })
}

async function importOneByOne(port: number): Promise<Figures> {
  return withGateway({ settings: { 'gatewright.store': 'embedded' } }, async (gateway) => {
    const put = async (id: number, document: object) => {
      const status = await send(gateway, {
        path: `/routes/r${id}`,
        headers: {},
        body: JSON.stringify(document),
      })
      if (status !== 201) throw new Error(`a route was answered with ${status}`)
    }
    await put(-1, { ...routeAt(-1, port), uri: '/load' })
    await untilStatus(gateway, '/load', 200)
    await warmUp(gateway)
    return measureImport(gateway, 'one PUT each, embedded store', async () => {
      let next = 0
      const write = async () => {
        while (next < ROUTES) await put(next, routeAt(next++, port))
      }
      await Promise.all(Array.from({ length: WRITERS }, write))
      await untilStatus(gateway, pathOf(ROUTES - 1), 200)
    })
  })
}

interface Place {
  readonly settings: Readonly<Record<string, unknown>>
  readonly prepare?: (directory: string) => Promise<void>
}

/** Starts a gateway in a directory of its own, and takes both away afterwards. */
export async function withGateway<T>(
  { settings, prepare }: Place,
  measure: (gateway: WatchedGateway, directory: string) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'gatewright-bench-'))
  await prepare?.(directory)
  const gateway = await startWatchedGateway(directory, settings)
  // It has inherited the one core of this process, which sends the load.
  spawnSync('taskset', ['-a', '-c', '-p', `0-${cpus().length - 1}`, String(gateway.pid)], { stdio: 'ignore' })
  try {
    return await measure(gateway, directory)
  } finally {
    await gateway.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

/** Runs the import while clients send requests, one after the other each. */
async function measureImport(
  gateway: WatchedGateway,
  what: string,
  act: () => Promise<unknown>,
): Promise<Figures> {
  const load = startLoad(gateway)
  await wait(200)
  await gateway.loopDelay()
  load.times.length = 0
  const startedAt = performance.now()
  await act()
  // What follows the answer belongs to the import as well.
  await wait(500)
  const seconds = (performance.now() - startedAt - 500) / 1000
  const { maxMs, p99Ms } = await gateway.loopDelay()
  await load.stop()
  return {
    what,
    seconds,
    loopMaxMs: maxMs,
    loopP99Ms: p99Ms,
    requestMaxMs: Math.max(...load.times),
    requestP99Ms: quantile(load.times, 0.99),
  }
}

/** So that the compiler of the engine is not what is measured. */
async function warmUp(gateway: WatchedGateway): Promise<void> {
  const load = startLoad(gateway)
  await wait(WARM_UP_MS)
  await load.stop()
}

function startLoad({ proxyUrl }: WatchedGateway): { readonly times: number[]; stop(): Promise<void> } {
  const agent = new Agent({ keepAlive: true })
  const times: number[] = []
  let isDone = false
  const client = async () => {
    while (!isDone) {
      const startedAt = performance.now()
      const { statusCode } = await get(`${proxyUrl}/load`, agent)
      if (statusCode !== 200 && statusCode !== 503)
        throw new Error(`a request was answered with ${statusCode}`)
      times.push(performance.now() - startedAt)
    }
  }
  const clients = Array.from({ length: CLIENTS }, client)
  return {
    times,
    stop: async () => {
      isDone = true
      await Promise.all(clients)
      agent.destroy()
    },
  }
}

async function untilStatus({ proxyUrl }: WatchedGateway, path: string, status: number): Promise<void> {
  await until(async () => (await get(proxyUrl + path)).statusCode === status)
}

async function untilLimit({ proxyUrl }: WatchedGateway, path: string, limit: number): Promise<void> {
  await until(async () => (await get(proxyUrl + path)).headers['x-ratelimit-limit'] === String(limit))
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + VISIBLE_DEADLINE_MS
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not served within ${VISIBLE_DEADLINE_MS} ms`)
    await wait(10)
  }
}

/** The answer to a GET, its body read and dropped. */
export async function get(url: string, agent?: Agent): Promise<IncomingMessage> {
  const sent = request(url, agent ? { agent } : {})
  sent.end()
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  answer.resume()
  await once(answer, 'end')
  return answer
}

const WRITE_AGENT = new Agent({ keepAlive: true })

/** PUTs to the Admin API; the path starts below its root. Returns the status. */
export async function send(
  { adminUrl }: WatchedGateway,
  { path, headers, body }: { path: string; headers: Record<string, string>; body: string },
): Promise<number> {
  const sent = request(adminUrl + path, {
    method: 'PUT',
    agent: WRITE_AGENT,
    headers: { 'x-api-key': ADMIN_KEY, ...headers },
  })
  sent.end(body)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  answer.resume()
  await once(answer, 'end')
  return answer.statusCode ?? 0
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await run()
