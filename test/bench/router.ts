import { pathToFileURL } from 'node:url'
import { createRouter } from '../../src/router/match.ts'
import type { MatchRequest, RouteEntry, Router } from '../../src/router/router.ts'

const SIZES = [10, 1_000, 100_000]
const RUNS = 15
const OPERATIONS_PER_RUN = 20_000
const HOSTS = ['api.example.com', '*.shop.example.com', undefined]

export interface RouterBenchRow {
  readonly routes: number
  readonly matchNs: number
  readonly putNs: number
  /** Of router and entries together, without what the targets hold; `undefined` without --expose-gc. */
  readonly bytesPerRoute: number | undefined
}

/** Every third route is bound to a host, to a wildcard host, to none; half are exact paths, half prefixes. */
function entryOf(index: number): RouteEntry<number> {
  const host = HOSTS[index % HOSTS.length]
  const uri = `/v${index % 4}/service-${Math.floor(index / 20)}/resource-${index}`
  return {
    id: `route-${index}`,
    uris: [index % 2 === 0 ? uri : `${uri}/*`],
    hosts: host === undefined ? [] : [host],
    methods: index % 5 === 0 ? ['GET', 'POST'] : [],
    remoteAddrs: [],
    priority: 0,
    order: index,
    target: index,
  }
}

function requestFor(index: number): MatchRequest {
  const entry = entryOf(index)
  const host = (entry.hosts[0] ?? 'www.example.org').replace('*', 'eu')
  return {
    path: entry.uris[0]!.replace('*', 'items/4711'),
    host,
    rawHost: host,
    method: 'GET',
    remoteAddr: '10.1.2.3',
    pathParams: undefined,
    var: () => undefined,
  }
}

/** A copy that shares nothing with the original, not even the hash that V8 keeps in it: as a string fresh from the socket. */
function fresh(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

function filled(size: number): Router<number> {
  const router = createRouter<number>('radixtree_host_uri')
  for (let index = 0; index < size; index++) router.put(entryOf(index))
  return router
}

/** Routes spread evenly over the table, so that a large one does not profit from a warm cache. */
function spread(step: number, size: number): number {
  return (Math.imul(step, 0x9e3779b1) >>> 0) % size
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

/** Median nanoseconds of one operation; `prepare` is not timed. */
function timed<A>(prepare: (step: number) => A, operate: (argument: A) => void): number {
  const runs: number[] = []
  for (let run = 0; run < RUNS; run++) {
    const offset = run * OPERATIONS_PER_RUN
    const arguments_ = Array.from({ length: OPERATIONS_PER_RUN }, (_, step) => prepare(offset + step))
    const start = process.hrtime.bigint()
    for (const argument of arguments_) operate(argument)
    runs.push(Number(process.hrtime.bigint() - start) / OPERATIONS_PER_RUN)
  }
  return median(runs)
}

function measureMatch(router: Router<number>, size: number): number {
  let wrong = 0
  const matchNs = timed(
    (step) => {
      const index = spread(step, size)
      const request = requestFor(index)
      return { index, request: { ...request, path: fresh(request.path), host: fresh(request.host) } }
    },
    ({ index, request }) => {
      if (router.match(request) !== index) wrong++
    },
  )
  if (wrong > 0) throw new Error(`${wrong} matches went wrong at ${size} routes`)
  return matchNs
}

/** One changed route: another order of its methods, so another set of conditions, at the same paths. */
function measurePut(router: Router<number>, size: number): number {
  return timed(
    (step): RouteEntry<number> => ({ ...entryOf(spread(step, size)), methods: ['PUT', 'GET'] }),
    (entry) => router.put(entry),
  )
}

function heapBytes(): number | undefined {
  if (globalThis.gc === undefined) return undefined
  globalThis.gc()
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

function measure(size: number): RouterBenchRow {
  const before = heapBytes()
  const router = filled(size)
  const after = heapBytes()
  const bytesPerRoute = before === undefined || after === undefined ? undefined : (after - before) / size
  return { routes: size, matchNs: measureMatch(router, size), putNs: measurePut(router, size), bytesPerRoute }
}

/** Measures the default router at each size and prints one line per size. Takes a few seconds. */
export function run(): RouterBenchRow[] {
  // Once unmeasured, so that the first size does not pay for the compiler.
  measure(1_000)
  const rows = SIZES.map(measure)
  const first = rows[0]!
  console.log('router, radixtree_host_uri: median per operation, × compares with the smallest table')
  for (const { routes, matchNs, putNs, bytesPerRoute } of rows) {
    const matched = `match ${matchNs.toFixed(0)} ns (×${(matchNs / first.matchNs).toFixed(2)})`
    const put = `put ${putNs.toFixed(0)} ns (×${(putNs / first.putNs).toFixed(2)})`
    const memory = bytesPerRoute === undefined ? '' : `, ${bytesPerRoute.toFixed(0)} bytes a route`
    console.log(`  ${String(routes).padStart(7)} routes: ${matched}, ${put}${memory}`)
  }
  return rows
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) run()
