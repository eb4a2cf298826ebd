import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BenchServer, Contender } from './servers/bench-server.ts'
import { startGatewright, startGatewrightWithPlugins } from './servers/gatewright.ts'
import { startHaproxy } from './servers/haproxy.ts'
import { type LoadResult, runLoad } from './servers/load.ts'
import { ORIGIN_BODY, startNginxProxy, startOrigin } from './servers/nginx.ts'
import type { PinnedProcess } from './servers/pinned-process.ts'
import { startPlainHttpProxy } from './servers/plain-http-proxy.ts'
import { allowedCores, installMissing, versionOf } from './servers/tools.ts'
import { median, quantile, renderTable, shuffled } from './statistics.ts'

const CONTENDERS: readonly Contender[] = [
  { name: 'nginx', needs: 'nginx', start: startNginxProxy },
  { name: 'HAProxy', needs: 'haproxy', start: startHaproxy },
  { name: '@fastify/http-proxy', start: startPlainHttpProxy },
  { name: 'Gatewright, one route', start: startGatewright },
  { name: 'Gatewright, key-auth + limit-count + prometheus', start: startGatewrightWithPlugins },
]
/** All others are compared with it. */
const REFERENCE = 'nginx'
/** Node compiles what is hot in the first seconds; they are not measured. */
const WARM_UP_SECONDS = 3
/** What an ordinary client sends beside Host. */
const CLIENT_HEADERS = { 'User-Agent': 'bench', Accept: '*/*' }

export interface EndToEndOptions {
  readonly rounds: number
  /** Of one measurement; a whole number, because wrk takes no other. */
  readonly seconds: number
  readonly connections: number
}

export const DEFAULT_OPTIONS: EndToEndOptions = { rounds: 9, seconds: 2, connections: 32 }

interface Measurement extends LoadResult {
  readonly cpuMicrosPerRequest: number
}

interface Row {
  readonly name: string
  readonly server: BenchServer
  readonly measurements: Measurement[]
}

interface Bench {
  readonly options: EndToEndOptions
  readonly serverCore: number
  readonly loadCore: number
  /** In the order in which they were started. */
  readonly started: PinnedProcess[]
}

/**
 * Starts every contender on one core, the load and its origin on another, measures them in turn, and prints one table. Needs
 * Linux, nginx and wrk; says so and returns when they cannot be had. Everything it started has ended when it settles. The servers
 * get the first of `cores`, load and origin the last.
 */
export async function run(
  options: EndToEndOptions = DEFAULT_OPTIONS,
  cores: readonly number[] = allowedCores(),
): Promise<void> {
  if (process.platform !== 'linux') {
    console.log('end to end: skipped, because CPU time and pinning are those of Linux')
    return
  }
  const missing = installMissing(['taskset', 'wrk', 'nginx', 'haproxy'])
  const needed = missing.filter((command) => command !== 'haproxy')
  if (needed.length > 0) {
    console.log(
      `end to end: skipped, because there is no ${needed.join(' and no ')}; install it, or run this as root on Debian`,
    )
    return
  }
  const folder = await mkdtemp(join(tmpdir(), 'gatewright-bench-'))
  const bench: Bench = { options, serverCore: cores[0]!, loadCore: cores.at(-1)!, started: [] }
  try {
    const rows = await startAll(bench, { folder, missing })
    await measureAll(bench, rows)
    report(bench, rows)
  } finally {
    await Promise.all(bench.started.map((server) => server.stop()))
    await rm(folder, { recursive: true, force: true })
  }
}

async function startAll(
  bench: Bench,
  { folder, missing }: { folder: string; missing: readonly string[] },
): Promise<Row[]> {
  const ownFolder = () => mkdtemp(join(folder, 'server-'))
  const origin = await startOrigin({ core: bench.loadCore, folder: await ownFolder() })
  bench.started.push(origin.process)
  const rows: Row[] = []
  for (const { name, needs, start } of CONTENDERS) {
    if (needs !== undefined && missing.includes(needs)) {
      console.log(`${name}: skipped, because there is no ${needs}; install it, or run this as root on Debian`)
      continue
    }
    const server = await start({ core: bench.serverCore, originPort: origin.port, folder: await ownFolder() })
    bench.started.push(server.process)
    await expectOrigin(name, server)
    rows.push({ name, server, measurements: [] })
  }
  return rows
}

/** A proxy that answers something of its own would win every race. */
async function expectOrigin(name: string, server: BenchServer): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${server.port}/x`, { headers: server.requestHeaders ?? {} })
  const body = await response.text()
  if (response.status !== 200 || body !== ORIGIN_BODY) {
    throw new Error(`${name} does not pass on what the origin says: ${response.status} ${body.slice(0, 200)}`)
  }
}

async function measureAll(bench: Bench, rows: readonly Row[]): Promise<void> {
  for (const row of rows) await load(bench, row.server, WARM_UP_SECONDS)
  // In turn, in a new order each round: what else the machine does meets all of them alike.
  for (let round = 0; round < bench.options.rounds; round++) {
    for (const row of shuffled(rows)) row.measurements[round] = await measure(bench, row.server)
  }
}

async function measure(bench: Bench, server: BenchServer): Promise<Measurement> {
  const before = server.process.cpuMicros()
  const result = await load(bench, server, bench.options.seconds)
  return { ...result, cpuMicrosPerRequest: (server.process.cpuMicros() - before) / result.requests }
}

function load({ options, loadCore }: Bench, server: BenchServer, seconds: number): Promise<LoadResult> {
  return runLoad({
    url: `http://127.0.0.1:${server.port}/api/orders/4711?fields=id,total`,
    core: loadCore,
    connections: options.connections,
    seconds,
    headers: { ...CLIENT_HEADERS, ...server.requestHeaders },
  })
}

function report({ options, serverCore, loadCore }: Bench, rows: readonly Row[]): void {
  const { rounds, seconds, connections } = options
  console.log(
    `end to end: ${rounds} rounds of ${seconds} s, ${connections} connections, one core (${serverCore}) for each server,`,
  )
  console.log(`  core ${loadCore} for wrk and the origin; medians, and the middle half of the ratios`)
  console.log(`  ${versions().join(', ')}`)
  const reference = rows.find(({ name }) => name === REFERENCE)
  const head = ['', 'req/s', 'p50 ms', 'p99 ms', 'CPU µs/req', 'RSS MiB', `× ${REFERENCE}`, 'middle half']
  console.log(renderTable([head, ...rows.map((row) => cells(row, reference))]))
}

/** Of what takes part besides this checkout. */
function versions(): string[] {
  const tools = ['nginx', 'haproxy', 'wrk'].map((command) => [command, versionOf(command, '-v')] as const)
  const found = tools.filter(([, version]) => version !== undefined).map((tool) => tool.join(' '))
  return [...found, `Node ${process.version.slice(1)}`]
}

function cells({ name, server, measurements }: Row, reference: Row | undefined): string[] {
  const of = (value: (measurement: Measurement) => number) => median(measurements.map(value))
  const milliseconds = (micros: number) => (micros / 1_000).toFixed(2)
  // Of neighbours in time, so that a slow minute of the machine cancels out.
  const ratios = measurements.map(
    ({ cpuMicrosPerRequest }, round) =>
      cpuMicrosPerRequest / reference!.measurements[round]!.cpuMicrosPerRequest,
  )
  return [
    name,
    of(({ requestsPerSecond }) => requestsPerSecond).toFixed(0),
    milliseconds(of(({ p50Micros }) => p50Micros)),
    milliseconds(of(({ p99Micros }) => p99Micros)),
    of(({ cpuMicrosPerRequest }) => cpuMicrosPerRequest).toFixed(1),
    (server.process.residentBytes() / 2 ** 20).toFixed(0),
    median(ratios).toFixed(2),
    `${quantile(ratios, 0.25).toFixed(2)}–${quantile(ratios, 0.75).toFixed(2)}`,
  ]
}
