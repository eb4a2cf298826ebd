import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type OpenGatewright, startGatewrightOpen } from './servers/gatewright.ts'
import { startOrigin } from './servers/nginx.ts'
import { type Answer, Clients, type OpenLoadResult } from './servers/open-load.ts'
import type { PinnedProcess } from './servers/pinned-process.ts'
import { installMissing } from './servers/tools.ts'
import { quantile, renderTable } from './statistics.ts'

/** Rounds of a loop in a plugin, which stand for requests of about so much work. */
const WORK: Readonly<Record<string, number>> = {
  light: 500_000,
  heavy: 2_000_000,
  'very heavy': 5_000_000,
}
const OVERLOAD = 10
const WARM_UP_SECONDS = 3
const PEAK_SECONDS = 4
const OVERLOAD_SECONDS = 9
/** Of the overload, until it counts: a queue that stands is told apart from a burst. */
const ONSET_MS = 3_000
const AFTER_SECONDS = 4
/** Enough to keep one process busy, few enough that nothing is refused. */
const PEAK_CONNECTIONS = 16
const CONNECTIONS = 1_000
const ASK_EVERY_MS = 100
/** An answer that takes longer than this after the overload is one that still waits because of it. */
const NORMAL_MS = 50

/**
 * Offers ten times what one process can do, in an open loop, and prints what becomes of those who are served, of those who are
 * refused, and of the admin API and status meanwhile. Needs Linux and nginx; says so and returns when they cannot be had.
 */
export async function run(cores: readonly number[]): Promise<void> {
  const missing = process.platform === 'linux' ? installMissing(['taskset', 'nginx']) : ['Linux']
  if (missing.length > 0) {
    console.log(`overload: skipped, because there is no ${missing.join(' and no ')}`)
    return
  }
  const folder = await mkdtemp(join(tmpdir(), 'gatewright-bench-'))
  const started: PinnedProcess[] = []
  try {
    const ownFolder = () => mkdtemp(join(folder, 'server-'))
    const origin = await startOrigin({ core: cores.at(-1)!, folder: await ownFolder() })
    started.push(origin.process)
    const rows: string[][] = []
    for (const [name, rounds] of Object.entries(WORK)) {
      const place = { core: cores[0]!, originPort: origin.port, folder: await ownFolder() }
      const gateway = await startGatewrightOpen(place, workOf(rounds))
      started.push(gateway.process)
      rows.push([name, ...(await measure(gateway))])
      await gateway.process.stop()
    }
    console.log(
      `overload: ${OVERLOAD} × what one process can do, ${OVERLOAD_SECONDS} s, ${CONNECTIONS} connections; the first ${ONSET_MS} ms do not count`,
    )
    console.log(renderTable([HEAD, ...rows]))
  } finally {
    await Promise.all(started.map((server) => server.stop()))
    await rm(folder, { recursive: true, force: true })
  }
}

const HEAD = [
  'requests',
  'peak/s',
  'CPU µs',
  'offered/s',
  'served/s',
  '% of peak',
  'served p50/p99 ms',
  'refused/s',
  'refused p50/p99 ms',
  'admin p99/max ms',
  'status p99/max ms',
  'normal after ms',
]

function workOf(rounds: number): object {
  const source = `() => { let x = 1; for (let i = 0; i < ${rounds}; i++) x = (x * 31 + i) | 0; if (x === 0.5) throw x }`
  return { 'serverless-pre-function': { phase: 'rewrite', functions: [source] } }
}

async function measure(gateway: OpenGatewright): Promise<string[]> {
  const peak = await measurePeak(gateway)
  const clients = new Clients(gateway.port, '/')
  await clients.open(CONNECTIONS)
  const side = askAside(gateway)
  const offered = peak.perSecond * OVERLOAD
  const overload = await clients.send(offered, OVERLOAD_SECONDS)
  const { admin, status } = await side.stop()
  const after = await clients.send(peak.perSecond / 2, AFTER_SECONDS)
  clients.close()
  const again = await measurePeak(gateway)
  // The machine is not as fast all the time: the one before and the one after.
  const perSecond = (peak.perSecond + again.perSecond) / 2
  const counted = overload.answers.filter(({ atMs }) => atMs > ONSET_MS && atMs <= OVERLOAD_SECONDS * 1000)
  const seconds = OVERLOAD_SECONDS - ONSET_MS / 1000
  const served = counted.filter(({ status: code }) => code === 200)
  const refused = counted.filter(({ status: code }) => code === 503)
  if (served.length + refused.length < counted.length)
    throw new Error('there were answers other than 200 and 503')
  return [
    `${peak.perSecond.toFixed(0)}, ${again.perSecond.toFixed(0)}`,
    peak.cpuMicros.toFixed(0),
    offeredPerSecond(overload, offered),
    (served.length / seconds).toFixed(0),
    ((served.length / seconds / perSecond) * 100).toFixed(1),
    spread(served),
    (refused.length / seconds).toFixed(0),
    spread(refused),
    extremes(admin),
    extremes(status),
    normalAfter(after),
  ]
}

async function measurePeak({ port, process: server }: OpenGatewright) {
  const clients = new Clients(port, '/')
  await clients.open(PEAK_CONNECTIONS)
  await clients.saturate(WARM_UP_SECONDS)
  const before = server.cpuMicros()
  const { answers } = await clients.saturate(PEAK_SECONDS)
  const cpuMicros = (server.cpuMicros() - before) / answers.length
  clients.close()
  if (answers.some(({ status }) => status !== 200)) throw new Error('requests were refused without overload')
  return { perSecond: answers.length / PEAK_SECONDS, cpuMicros }
}

/** Asks the admin API and the status listener all the time, on new connections. */
function askAside({ adminUrl, adminKey, statusUrl }: OpenGatewright) {
  const latencies = { admin: [] as number[], status: [] as number[] }
  let isOver = false
  const asked = (async () => {
    while (!isOver) {
      latencies.admin.push(await timed(`${adminUrl}/routes/bench`, { 'x-api-key': adminKey }))
      latencies.status.push(await timed(statusUrl, {}))
      await wait(ASK_EVERY_MS)
    }
  })()
  return {
    async stop() {
      isOver = true
      await asked
      return latencies
    },
  }
}

async function timed(url: string, headers: Record<string, string>): Promise<number> {
  const startMs = performance.now()
  const response = await fetch(url, { headers })
  await response.arrayBuffer()
  if (response.status !== 200) throw new Error(`${url} was answered ${response.status}`)
  return performance.now() - startMs
}

/** What came to be sent: a connection that still waits sends nothing. */
function offeredPerSecond({ unsent, seconds }: OpenLoadResult, offered: number): string {
  return `${(offered - unsent / seconds).toFixed(0)} of ${offered.toFixed(0)}`
}

function spread(answers: readonly Answer[]): string {
  const latencies = answers.map(({ latencyMs }) => latencyMs)
  if (latencies.length === 0) return '–'
  return `${quantile(latencies, 0.5).toFixed(1)} / ${quantile(latencies, 0.99).toFixed(1)}`
}

function extremes(latencies: readonly number[]): string {
  return `${quantile(latencies, 0.99).toFixed(0)} / ${Math.max(...latencies).toFixed(0)}`
}

/** When the last request was sent that was refused or slow. */
function normalAfter({ answers }: OpenLoadResult): string {
  const odd = answers.filter(({ status, latencyMs }) => status !== 200 || latencyMs > NORMAL_MS)
  return Math.max(0, ...odd.map(({ atMs, latencyMs }) => atMs - latencyMs)).toFixed(0)
}
