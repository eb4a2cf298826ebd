import { pathToFileURL } from 'node:url'
import { createRouter } from '../../src/router/match.ts'
import type { MatchRequest, RouteEntry, Router } from '../../src/router/router.ts'

const SIZES = [10, 1_000, 100_000]
const RUNS = 41
const OPERATIONS_PER_RUN = 10_000
/** So many routes of a table get all requests, as in life; with more the processor's caches are measured, not the router. */
const BUSY_ROUTES = 1_000
const HOSTS = ['api.example.com', '*.shop.example.com', undefined]

/** Nanoseconds of one operation, median of the runs. */
export interface RouterBenchRow {
  readonly routes: number
  /** Requests spread over at most 1,000 routes, which lie evenly in the table. */
  readonly matchNs: number
  /** Requests spread over all routes: nothing is found in a cache. */
  readonly coldMatchNs: number
  /** One changed route. */
  readonly putNs: number
  /** Of router and entries together, without what the targets hold; `undefined` without --expose-gc or for a tiny table. */
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

interface Table {
  readonly size: number
  readonly router: Router<number>
  readonly bytesPerRoute: number | undefined
}

function filled(size: number): Table {
  const before = heapBytes()
  const router = createRouter<number>('radixtree_host_uri')
  for (let index = 0; index < size; index++) router.put(entryOf(index))
  const after = heapBytes()
  const isMeasured = before !== undefined && after !== undefined && size >= 1_000
  return { size, router, bytesPerRoute: isMeasured ? (after - before) / size : undefined }
}

function heapBytes(): number | undefined {
  if (globalThis.gc === undefined) return undefined
  globalThis.gc()
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

/** Where the request of a step goes: one of `busy` routes, which lie evenly in a table of `size`. */
function routeAt(step: number, size: number, busy: number): number {
  const chosen = (Math.imul(step, 0x9e3779b1) >>> 0) % busy
  return Math.floor((chosen * size) / busy)
}

/** Nanoseconds of one operation over a run; the arguments are made before the clock starts. */
function timed<A>(arguments_: readonly A[], operate: (argument: A) => void): number {
  const start = process.hrtime.bigint()
  for (const argument of arguments_) operate(argument)
  return Number(process.hrtime.bigint() - start) / arguments_.length
}

function steps<A>(run: number, make: (step: number) => A): A[] {
  return Array.from({ length: OPERATIONS_PER_RUN }, (_, step) => make(run * OPERATIONS_PER_RUN + step))
}

function measureMatch({ router, size }: Table, run: number, busy: number): number {
  const requests = steps(run, (step) => {
    const index = routeAt(step, size, busy)
    const request = requestFor(index)
    return { index, request: { ...request, path: fresh(request.path), host: fresh(request.host) } }
  })
  let wrong = 0
  const matchNs = timed(requests, ({ index, request }) => {
    if (router.match(request) !== index) wrong++
  })
  if (wrong > 0) throw new Error(`${wrong} matches went wrong at ${size} routes`)
  return matchNs
}

function measurePut({ router, size }: Table, run: number): number {
  const busy = Math.min(size, BUSY_ROUTES)
  const entries = steps(
    run,
    (step): RouteEntry<number> => ({ ...entryOf(routeAt(step, size, busy)), methods: ['PUT', 'GET'] }),
  )
  return timed(entries, (entry) => router.put(entry))
}

const MEASURES: Record<'matchNs' | 'coldMatchNs' | 'putNs', (table: Table, run: number) => number> = {
  matchNs: (table, run) => measureMatch(table, run, Math.min(table.size, BUSY_ROUTES)),
  coldMatchNs: (table, run) => measureMatch(table, run, table.size),
  putNs: measurePut,
}

/** The tables take turns, so that a busy machine slows all of them alike. */
function medians(tables: readonly Table[], measure: (table: Table, run: number) => number): number[] {
  const samples = tables.map((): number[] => [])
  for (let run = 0; run < RUNS; run++) {
    for (const [index, table] of tables.entries()) samples[index]!.push(measure(table, run))
  }
  return samples.map((values) => values.toSorted((a, b) => a - b)[values.length >> 1]!)
}

/** Measures the default router at each size and prints one line per size. Takes some ten seconds. */
export function run(): RouterBenchRow[] {
  const tables = SIZES.map(filled)
  const matchNs = medians(tables, MEASURES.matchNs)
  const coldMatchNs = medians(tables, MEASURES.coldMatchNs)
  const putNs = medians(tables, MEASURES.putNs)
  const rows = tables.map(({ size, bytesPerRoute }, index) => ({
    routes: size,
    matchNs: matchNs[index]!,
    coldMatchNs: coldMatchNs[index]!,
    putNs: putNs[index]!,
    bytesPerRoute,
  }))
  print(rows)
  return rows
}

function print(rows: readonly RouterBenchRow[]): void {
  const first = rows[0]!
  console.log('router, radixtree_host_uri: median ns of one operation, × compares with the smallest table')
  for (const row of rows) {
    const cell = (key: 'matchNs' | 'coldMatchNs' | 'putNs'): string =>
      `${row[key].toFixed(0)} ns (×${(row[key] / first[key]).toFixed(2)})`
    const memory = row.bytesPerRoute === undefined ? '' : `, ${row.bytesPerRoute.toFixed(0)} bytes a route`
    console.log(
      `  ${String(row.routes).padStart(7)} routes: match ${cell('matchNs')}, ` +
        `match cold ${cell('coldMatchNs')}, put ${cell('putNs')}${memory}`,
    )
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) run()
