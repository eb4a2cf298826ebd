import type { DoorsServer } from './servers/bench-server.ts'
import { KB, MB, type Pair, withPair } from './servers/pair.ts'
import { gets, handshakes, http2Gets, posts, type SendTraffic, type Traffic } from './servers/traffic-load.ts'
import { median, quantile, renderTable, shuffled } from './statistics.ts'

/** Node compiles what is hot in the first second; it is not measured. */
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
  await withPair({ title, commands: ['wrk', 'h2load', 'openssl'], cores }, async (pair) => {
    const cases = names.flatMap((name) => Object.entries(GROUPS[name]!)).map(toCase)
    for (const one of cases) await measureCase(pair, one, { rounds, seconds })
    console.log(
      `${title}: ${rounds} rounds of ${seconds} s, server on core ${pair.serverCore}, load and origin on core ${pair.loadCore};`,
    )
    console.log('  medians; Gatewright / nginx, their ratios, and the middle half of the ratio of CPU times')
    const head = ['', 'req/s', 'MB/s', '× nginx', 'CPU µs/req', '× nginx', 'middle half']
    console.log(renderTable([head, ...cases.map(cells)]))
  })
}

function toCase([name, send]: [string, SendTraffic]): Case {
  return { name, send, gateway: [], nginx: [] }
}

async function measureCase(
  pair: Pair,
  { send, gateway, nginx }: Case,
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<void> {
  const sides = [
    { server: pair.gateway, measurements: gateway },
    { server: pair.nginx, measurements: nginx },
  ]
  const place = ({ ports }: DoorsServer, time: number) => ({
    ports,
    core: pair.loadCore,
    seconds: time,
    folder: pair.folder,
  })
  await send(place(pair.gateway, WARM_UP_SECONDS))
  for (let round = 0; round < rounds; round++) {
    for (const { server, measurements } of shuffled(sides)) {
      const before = server.process.cpuMicros()
      const traffic = await send(place(server, seconds))
      measurements[round] = { ...traffic, cpuMicros: server.process.cpuMicros() - before }
    }
  }
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
