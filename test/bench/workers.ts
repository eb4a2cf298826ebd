import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { runLoad } from './servers/load.ts'
import { startOrigin } from './servers/nginx.ts'
import { freePort } from './servers/pinned-process.ts'
import { installMissing } from './servers/tools.ts'
import { median, renderTable } from './statistics.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/gatewright.js', import.meta.url))
const COUNTS = [1, 2]
const ROUNDS = 5
const SECONDS = 3
const CONNECTIONS = 64
const MICROS_PER_TICK = 10_000
const START_DEADLINE_MS = 30_000

interface Node {
  readonly child: ChildProcess
  readonly port: number
  /** The primary and its workers. */
  readonly pids: readonly number[]
}

interface Measured {
  readonly requestsPerSecond: number
  readonly cpuMicrosPerRequest: number
}

/**
 * One process against two workers, on all cores. Load and origin take their part of the cores: what that leaves is shown beside what whole cores
 * would give, which the CPU time of a request says (primary and workers together).
 */
export async function run(cores: readonly number[]): Promise<void> {
  const missing = process.platform === 'linux' ? installMissing(['taskset', 'wrk', 'nginx']) : ['Linux']
  if (missing.length > 0) {
    console.log(`workers: skipped, because there is no ${missing.join(' and no ')}`)
    return
  }
  const folder = await mkdtemp(join(tmpdir(), 'gatewright-bench-'))
  const core = cores.at(-1)!
  const origin = await startOrigin({ core, folder: await mkdtemp(join(folder, 'origin-')) })
  try {
    const results: Measured[] = []
    for (const workers of COUNTS) {
      const own = await mkdtemp(join(folder, 'node-'))
      results.push(await measureNode({ workers, folder: own, originPort: origin.port, core }))
    }
    report(results, cores.length)
  } finally {
    await origin.process.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

interface Place {
  readonly workers: number
  readonly folder: string
  readonly originPort: number
  readonly core: number
}

async function measureNode(place: Place): Promise<Measured> {
  const node = await startNode(place)
  try {
    await load(node, place.core)
    const rounds: Measured[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const before = cpuMicros(node)
      const { requests, requestsPerSecond } = await load(node, place.core)
      rounds.push({ requestsPerSecond, cpuMicrosPerRequest: (cpuMicros(node) - before) / requests })
    }
    return {
      requestsPerSecond: median(rounds.map((one) => one.requestsPerSecond)),
      cpuMicrosPerRequest: median(rounds.map((one) => one.cpuMicrosPerRequest)),
    }
  } finally {
    node.child.kill('SIGTERM')
    await once(node.child, 'exit')
  }
}

function load({ port }: Node, core: number) {
  const url = `http://127.0.0.1:${port}/x`
  return runLoad({ url, core, connections: CONNECTIONS, seconds: SECONDS, headers: {} })
}

async function startNode({ workers, folder, originPort }: Place): Promise<Node> {
  const at = async () => ({ ip: '127.0.0.1', port: await freePort() })
  const [proxy, status, control, metrics, admin] = [
    await at(),
    await at(),
    await at(),
    await at(),
    await at(),
  ]
  const settings = {
    apisix: { node_listen: [proxy], ssl: { enable: false }, status, control },
    nginx_config: { http: { keepalive_requests: 1_000_000_000 } },
    deployment: { admin: { admin_listen: admin } },
    plugin_attr: { prometheus: { export_addr: metrics } },
    gatewright: { store: 'memory', data_dir: folder, workers, log: { level: 'error', access_log: 'off' } },
  }
  const file = join(folder, 'config.yaml')
  await writeFile(file, JSON.stringify(settings))
  // Out of the reach of the core that this process is bound to.
  const command = ['-c', '0-1023', process.execPath, PROGRAM, 'start', '-c', file]
  const child = spawn('taskset', command, { cwd: folder, stdio: 'ignore' })
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  child.once('exit', () => process.off('exit', killAtExit))
  await untilReady(`http://127.0.0.1:${status.port}/status/ready`)
  const key = (await readFile(join(folder, 'admin.key'), 'utf8')).trim()
  const answer = await fetch(`http://127.0.0.1:${admin.port}/apisix/admin/routes/1?wait=applied`, {
    method: 'PUT',
    headers: { 'x-api-key': key, 'content-type': 'application/json' },
    body: JSON.stringify({ uri: '/*', upstream: { nodes: { [`127.0.0.1:${originPort}`]: 1 } } }),
  })
  if (!answer.ok) throw new Error(`the route was refused: ${answer.status} ${await answer.text()}`)
  return { child, port: proxy.port, pids: [child.pid!, ...(await workerPids(control.port))] }
}

/** A process that does everything has none. */
async function workerPids(controlPort: number): Promise<number[]> {
  const answer = await fetch(`http://127.0.0.1:${controlPort}/v1/workers`)
  if (!answer.ok) return []
  return ((await answer.json()) as { pid?: number }[]).flatMap(({ pid }) => pid ?? [])
}

async function untilReady(url: string): Promise<void> {
  const deadline = Date.now() + START_DEADLINE_MS
  while (Date.now() < deadline) {
    // Not listening yet: it is asked again until the deadline.
    if (
      await fetch(url).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return
    await wait(50)
  }
  throw new Error(`${url} was not answered with 2xx within ${START_DEADLINE_MS} ms`)
}

function cpuMicros({ pids }: Node): number {
  return pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return sum + (Number(fields[11]) + Number(fields[12])) * MICROS_PER_TICK
  }, 0)
}

function report(results: readonly Measured[], cores: number): void {
  const [one] = results
  const wholeCores = ({ cpuMicrosPerRequest }: Measured, index: number) =>
    (COUNTS[index]! * 1e6) / cpuMicrosPerRequest
  const rows = results.map((result, index) => [
    `${COUNTS[index]} worker${index === 0 ? ' (one process)' : 's'}`,
    result.requestsPerSecond.toFixed(0),
    (result.requestsPerSecond / one!.requestsPerSecond).toFixed(2),
    result.cpuMicrosPerRequest.toFixed(1),
    wholeCores(result, index).toFixed(0),
    (wholeCores(result, index) / wholeCores(one!, 0)).toFixed(2),
  ])
  console.log(
    `workers: ${ROUNDS} rounds of ${SECONDS} s, ${CONNECTIONS} connections, ${cores} cores for all,`,
  )
  console.log('  wrk and the origin on the last of them; medians')
  console.log(renderTable([['', 'req/s', '×', 'CPU µs/req', 'req/s on whole cores', '×'], ...rows]))
}
