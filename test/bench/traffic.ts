import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificate } from '../support/certificates.ts'
import type { DoorsServer } from './servers/bench-server.ts'
import { startGatewrightDoors } from './servers/gatewright.ts'
import { startBodyOrigin, startNginxDoors } from './servers/nginx-doors.ts'
import type { PinnedProcess } from './servers/pinned-process.ts'
import { installMissing } from './servers/tools.ts'
import { gets, handshakes, http2Gets, posts, type SendTraffic, type Traffic } from './servers/traffic-load.ts'
import { median, quantile, renderTable, shuffled } from './statistics.ts'

const KB = 1_000
const MB = 1_000_000
const SIZES = [KB, 100 * KB, 10 * MB]
const WARM_UP_SECONDS = 1
const DEFAULTS = { rounds: 5, seconds: 1 }
const MANY = { connections: 32 }
/** Few, so that the answers under way at the end of a round do not outweigh those that it saw. */
const FEW = { connections: 4 }
const H2_TLS = { connections: 4, streams: 8, isTls: true }

/** The rows of each bench, in the order in which they are printed. */
const GROUPS: Readonly<Record<string, Readonly<Record<string, SendTraffic>>>> = {
  bodies: {
    'GET 1 KB': gets(KB, MANY),
    'GET 100 KB': gets(100 * KB, MANY),
    'GET 10 MB': gets(10 * MB, FEW),
    'POST 1 KB': posts(KB, MANY.connections),
    'POST 100 KB': posts(100 * KB, MANY.connections),
    'POST 10 MB': posts(10 * MB, FEW.connections),
    'GET 1 KB, no keep-alive': gets(KB, { ...MANY, isClosing: true }),
  },
  tls: {
    'TLS, GET 1 KB': gets(KB, { ...MANY, isTls: true }),
    'TLS, GET 10 MB': gets(10 * MB, { ...FEW, isTls: true }),
    'TLS, full handshake and GET 1 KB': handshakes(KB, 4),
  },
  http2: {
    'h2, GET 1 KB': http2Gets(KB, H2_TLS),
    'h2, GET 100 KB': http2Gets(100 * KB, H2_TLS),
    'h2, GET 10 MB': http2Gets(10 * MB, { ...H2_TLS, streams: 1 }),
    'h2c, GET 1 KB': http2Gets(KB, { ...H2_TLS, isTls: false }),
  },
}

/** Names that `run` takes. */
export const TRAFFIC_BENCHES: readonly string[] = Object.keys(GROUPS)

/** What the command line may say otherwise. */
export interface TrafficOptions {
  readonly rounds?: number | undefined
  readonly seconds?: number | undefined
}

interface Measurement extends Traffic {
  readonly cpuMicros: number
}

interface Case {
  readonly name: string
  readonly send: SendTraffic
  /** By round. */
  readonly gateway: Measurement[]
  readonly nginx: Measurement[]
}

interface Bench {
  readonly rounds: number
  readonly seconds: number
  readonly serverCore: number
  readonly loadCore: number
  readonly folder: string
  /** In the order in which they were started. */
  readonly started: PinnedProcess[]
}

interface Pair {
  readonly gateway: DoorsServer
  readonly nginx: DoorsServer
}

/**
 * Sends each kind of traffic of the named benches to nginx and to the gateway, on one core and in turn, and prints one row for each.
 * Needs Linux, nginx, wrk, h2load and openssl; says so and returns when they cannot be had. Everything it started has ended when it
 * settles.
 */
export async function run(
  names: readonly string[],
  { rounds = DEFAULTS.rounds, seconds = DEFAULTS.seconds }: TrafficOptions,
  cores: readonly number[],
): Promise<void> {
  const title = names.join(', ')
  if (process.platform !== 'linux') {
    console.log(`${title}: skipped, because CPU time and pinning are those of Linux`)
    return
  }
  const missing = installMissing(['taskset', 'wrk', 'nginx', 'h2load', 'openssl'])
  if (missing.length > 0) {
    console.log(
      `${title}: skipped, because there is no ${missing.join(' and no ')}; install it, or run as root`,
    )
    return
  }
  const folder = await mkdtemp(join(tmpdir(), 'gatewright-bench-'))
  const ends = { serverCore: cores[0]!, loadCore: cores.at(-1)! }
  const bench: Bench = { rounds, seconds, ...ends, folder, started: [] }
  try {
    const pair = await startPair(bench)
    const cases = names.flatMap((name) => Object.entries(GROUPS[name]!)).map(toCase)
    for (const one of cases) await measureCase(bench, pair, one)
    report(title, bench, cases)
  } finally {
    await Promise.all(bench.started.map((server) => server.stop()))
    await rm(folder, { recursive: true, force: true })
  }
}

function toCase([name, send]: [string, SendTraffic]): Case {
  return { name, send, gateway: [], nginx: [] }
}

async function startPair(bench: Bench): Promise<Pair> {
  const ownFolder = () => mkdtemp(join(bench.folder, 'server-'))
  const origin = await startBodyOrigin({ core: bench.loadCore, folder: await ownFolder() }, SIZES)
  bench.started.push(origin.process)
  const certificate = makeCertificate({ names: ['localhost'] })
  const place = { core: bench.serverCore, originPort: origin.port }
  const nginx = await startNginxDoors({ ...place, folder: await ownFolder() }, certificate)
  bench.started.push(nginx.process)
  const gateway = await startGatewrightDoors({ ...place, folder: await ownFolder() }, certificate)
  bench.started.push(gateway.process)
  for (const [name, { ports }] of Object.entries({ nginx, gateway })) await expectBodies(name, ports.plain)
  return { nginx, gateway }
}

/** A proxy that answers something of its own would win every race. */
async function expectBodies(name: string, port: number): Promise<void> {
  for (const size of SIZES) {
    const response = await fetch(`http://127.0.0.1:${port}/${size}`)
    const { byteLength } = await response.arrayBuffer()
    if (response.status === 200 && byteLength === size) continue
    throw new Error(
      `${name} answers ${response.status} with ${byteLength} bytes where the origin has ${size}`,
    )
  }
}

async function measureCase(bench: Bench, pair: Pair, { send, gateway, nginx }: Case): Promise<void> {
  const sides = [
    { server: pair.gateway, measurements: gateway },
    { server: pair.nginx, measurements: nginx },
  ]
  for (const { server } of sides) await send(placeOf(bench, server, WARM_UP_SECONDS))
  for (let round = 0; round < bench.rounds; round++) {
    for (const { server, measurements } of shuffled(sides)) {
      const before = server.process.cpuMicros()
      const traffic = await send(placeOf(bench, server, bench.seconds))
      measurements[round] = { ...traffic, cpuMicros: server.process.cpuMicros() - before }
    }
  }
}

function placeOf({ folder, loadCore }: Bench, { ports }: DoorsServer, seconds: number) {
  return { ports, core: loadCore, seconds, folder }
}

function report(
  title: string,
  { rounds, seconds, serverCore, loadCore }: Bench,
  cases: readonly Case[],
): void {
  console.log(
    `${title}: ${rounds} rounds of ${seconds} s, server on core ${serverCore}, load and origin on core ${loadCore};`,
  )
  console.log('  medians; Gatewright / nginx, their ratios, and the middle half of the ratio of CPU times')
  const head = ['', 'req/s', 'MB/s', '× nginx', 'CPU µs/req', '× nginx', 'middle half']
  console.log(renderTable([head, ...cases.map(cells)]))
}

function cells({ name, gateway, nginx }: Case): string[] {
  const both = (value: (measurement: Measurement) => number, digits: number) =>
    [gateway, nginx].map((side) => median(side.map(value)).toFixed(digits)).join(' / ')
  // Of neighbours in time, so that a slow minute of the machine cancels out.
  const ratios = (value: (measurement: Measurement) => number) =>
    gateway.map((measurement, round) => value(measurement) / value(nginx[round]!))
  const cpu = ratios(cpuPerRequest)
  return [
    name,
    both(({ requests, seconds }) => requests / seconds, 0),
    both(bytesPerMicro, 0),
    median(ratios(bytesPerMicro)).toFixed(2),
    both(cpuPerRequest, 0),
    median(cpu).toFixed(2),
    `${quantile(cpu, 0.25).toFixed(2)}–${quantile(cpu, 0.75).toFixed(2)}`,
  ]
}

function cpuPerRequest({ cpuMicros, requests }: Measurement): number {
  return cpuMicros / requests
}

/** Which is MB a second, too. */
function bytesPerMicro({ bytes, seconds }: Measurement): number {
  return bytes / seconds / MB
}
