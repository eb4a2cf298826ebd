import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pathToFileURL } from 'node:url'
import { get, pathOf, ROUTES, routeAt, send, WRITERS, withGateway } from './import.ts'
import { installMissing } from './servers/tools.ts'
import { ADMIN_KEY, type WatchedGateway } from './servers/watched-gateway.ts'
import { quantile, renderTable } from './statistics.ts'

const PAGE_SIZE = 500
const LISTINGS = 10
const CHANGES = 500
const LOAD_CONNECTIONS = 8
const VISIBLE_DEADLINE_MS = 10_000

/** A gateway on the embedded store, and the node that all routes lead to. */
interface World {
  readonly gateway: WatchedGateway
  readonly nodePort: number
}

/**
 * The Admin API with 10,000 routes on the embedded store, which syncs every commit to the disk. Goals: 10,000 PUTs a minute, and
 * one PUT served within 25 ms (p99) while the proxy is busy.
 */
export async function run(): Promise<void> {
  const missing = installMissing(['wrk'])
  if (missing.length > 0) throw new Error(`the bench "admin" needs ${missing.join(', ')}`)
  const node = createServer((_request, response) => response.end('ok')).listen(0, '127.0.0.1')
  await once(node, 'listening')
  const nodePort = (node.address() as AddressInfo).port
  try {
    await withGateway({ settings: { 'gatewright.store': 'embedded' } }, async (gateway) => {
      const world = { gateway, nodePort }
      await printWrites(world)
      await printListings(world)
      await printVisibility(world)
    })
  } finally {
    node.close()
    node.closeAllConnections()
  }
}

async function printWrites(world: World): Promise<void> {
  const rows = [
    await measureWrites(world, { what: `${ROUTES} new routes`, writers: WRITERS, edition: 0 }),
    await measureWrites(world, { what: `${ROUTES} changed routes`, writers: WRITERS, edition: 1 }),
    await measureWrites(world, { what: `${ROUTES} changed routes`, writers: 1, edition: 2 }),
  ]
  console.log('PUTs, each answered after it was synced to the disk (goal: 10,000 a minute)')
  console.log(
    renderTable([['', 'writers', 'a minute', 'p50 ms', 'p99 ms', 'max ms', 'loop max ms'], ...rows]),
  )
}

async function measureWrites(
  { gateway, nodePort }: World,
  { what, writers, edition }: { what: string; writers: number; edition: number },
): Promise<string[]> {
  const times: number[] = []
  let next = 0
  const write = async () => {
    while (next < ROUTES) times.push(await put(gateway, routeAt(next++, nodePort, edition)))
  }
  await gateway.loopDelay()
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: writers }, write))
  const minutes = (performance.now() - startedAt) / 60_000
  const { maxMs } = await gateway.loopDelay()
  return [
    what,
    String(writers),
    Math.round(ROUTES / minutes).toLocaleString('en'),
    ...shown(times),
    ms(maxMs),
  ]
}

/** Returns how long the answer took, in ms. */
async function put(gateway: WatchedGateway, route: Record<string, unknown>): Promise<number> {
  const startedAt = performance.now()
  const path = `/routes/${route['id']}`
  const status = await send(gateway, { path, headers: {}, body: JSON.stringify(route) })
  if (status !== 200 && status !== 201) throw new Error(`PUT ${path} was answered with ${status}`)
  return performance.now() - startedAt
}

async function printListings({ gateway }: World): Promise<void> {
  const pages = Array.from({ length: ROUTES / PAGE_SIZE }, (_, page) => page + 1)
  const rows = [
    await measureListing(
      gateway,
      `a page of ${PAGE_SIZE}`,
      pages.map((page) => `/routes?page=${page}&page_size=${PAGE_SIZE}`),
    ),
    await measureListing(
      gateway,
      `a page of ${PAGE_SIZE}, by uri`,
      pages.map((page) => `/routes?page=${page}&page_size=${PAGE_SIZE}&uri=service`),
    ),
    await measureListing(gateway, 'all at once', ['/routes']),
    await measureListing(gateway, 'one route', ['/routes/r5000']),
  ]
  console.log(`GET of ${ROUTES} routes`)
  console.log(renderTable([['', 'p50 ms', 'p99 ms', 'max ms', 'loop max ms'], ...rows]))
}

async function measureListing(
  gateway: WatchedGateway,
  what: string,
  paths: readonly string[],
): Promise<string[]> {
  const agent = new Agent({ keepAlive: true })
  const times: number[] = []
  await gateway.loopDelay()
  for (let listing = 0; listing < LISTINGS; listing++) {
    for (const path of paths) times.push(await list(gateway.adminUrl + path, agent))
  }
  const { maxMs } = await gateway.loopDelay()
  agent.destroy()
  return [what, ...shown(times), ms(maxMs)]
}

/** Returns how long it took until the whole answer was there, in ms. */
async function list(url: string, agent: Agent): Promise<number> {
  const startedAt = performance.now()
  const sent = request(url, { agent, headers: { 'x-api-key': ADMIN_KEY } })
  sent.end()
  const [answer] = await once(sent, 'response')
  if (answer.statusCode !== 200) throw new Error(`${url} was answered with ${answer.statusCode}`)
  answer.resume()
  await once(answer, 'end')
  return performance.now() - startedAt
}

async function printVisibility(world: World): Promise<void> {
  const rows = [
    await measureVisibility(world, { what: 'changed route, idle', connections: 0, firstEdition: 10_000 }),
    await measureVisibility(world, {
      what: `changed route, ${LOAD_CONNECTIONS} connections of wrk`,
      connections: LOAD_CONNECTIONS,
      firstEdition: 20_000,
    }),
  ]
  console.log(`from sending a PUT to the first answer by it, ${ROUTES} routes (goal: p99 below 25 ms)`)
  console.log(renderTable([['', 'p50 ms', 'p99 ms', 'max ms', 'answer of the PUT, p99 ms'], ...rows]))
}

async function measureVisibility(
  world: World,
  { what, connections, firstEdition }: { what: string; connections: number; firstEdition: number },
): Promise<string[]> {
  const { gateway } = world
  const stopLoad = startLoad(gateway.proxyUrl, connections)
  const agent = new Agent({ keepAlive: true })
  const visible: number[] = []
  const answered: number[] = []
  for (let change = 0; change < CHANGES; change++) {
    const index = (change * 17) % ROUTES
    const startedAt = performance.now()
    const written = put(gateway, routeAt(index, world.nodePort, firstEdition + change))
    await untilLimit(gateway.proxyUrl + pathOf(index), 1000 + firstEdition + change, agent)
    visible.push(performance.now() - startedAt)
    answered.push(await written)
  }
  agent.destroy()
  stopLoad()
  return [what, ...shown(visible), ms(quantile(answered, 0.99))]
}

/** wrk on a route that nobody changes; returns what ends it. */
function startLoad(proxyUrl: string, connections: number): () => void {
  if (connections === 0) return () => {}
  const args = ['-t1', `-c${connections}`, '-d600s', proxyUrl + pathOf(ROUTES - 1)]
  const wrk = spawn('wrk', args, { stdio: 'ignore' })
  const stop = () => void wrk.kill('SIGKILL')
  process.once('exit', stop)
  return () => {
    process.off('exit', stop)
    stop()
  }
}

async function untilLimit(url: string, limit: number, agent: Agent): Promise<void> {
  const deadline = performance.now() + VISIBLE_DEADLINE_MS
  while ((await get(url, agent)).headers['x-ratelimit-limit'] !== String(limit)) {
    if (performance.now() > deadline) throw new Error(`${url} is not served within ${VISIBLE_DEADLINE_MS} ms`)
  }
}

function shown(times: readonly number[]): string[] {
  return [ms(quantile(times, 0.5)), ms(quantile(times, 0.99)), ms(Math.max(...times))]
}

function ms(value: number): string {
  return value.toFixed(1)
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await run()
