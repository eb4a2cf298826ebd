import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { Agent, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { createRegistration } from '../../src/registry-client/index.ts'
import { startEtcd } from '../support/etcd.ts'
import { freePort, type PinnedProcess, startPinned } from './servers/pinned-process.ts'
import { installMissing, versionOf } from './servers/tools.ts'
import { median, quantile, renderTable } from './statistics.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/gatewright.js', import.meta.url))
const NODES_PROGRAM = fileURLToPath(import.meta.url)
const NODES = 20
const AGENTS_PER_NODE = 100
const AGENTS = NODES * AGENTS_PER_NODE
const RATE = 250
const WARM_UP_SECONDS = 3
const SECONDS = 12

const BARE_SERVER = `
const [file, port] = process.argv.slice(1)
const answer = require('node:fs').readFileSync(file)
require('node:http').createServer((_request, response) => response.end(answer)).listen(Number(port), '127.0.0.1')
`

interface Gateway {
  readonly process: PinnedProcess
  readonly adminUrl: string
  readonly adminKey: string
}

interface LookUp {
  readonly what: string
  /** Of the nth one. */
  readonly query: (turn: number) => string
  readonly listed: number
  readonly total: number
}

const LOOK_UPS: readonly LookUp[] = [
  { what: 'a capability', query: (turn) => `capability=c${turn % 50}`, listed: 40, total: 40 },
  { what: 'a label', query: (turn) => `label.zone=z${turn % 5}`, listed: 100, total: 400 },
  {
    what: 'a capability and a label',
    query: (turn) => `capability=c${turn % 50}&label.zone=z${turn % 5}`,
    ...{ listed: 8, total: 8 },
  },
  { what: 'ten of a type', query: () => 'type=big&limit=10', listed: 10, total: AGENTS },
  {
    what: 'a page of a type',
    query: (turn) => `type=big&cursor=${SORTED_IDS[100 * (turn % 19)]}`,
    ...{ listed: 100, total: AGENTS },
  },
]
const SORTED_IDS = Array.from({ length: NODES }, (_, node) =>
  Array.from({ length: AGENTS_PER_NODE }, (_agent, index) => `big/${node}-${index}`),
)
  .flat()
  .sort()

/**
 * Look-ups among 2,000 registered agents whose nodes send heartbeats meanwhile, and which an upstream follows. Gateway (the built program),
 * nodes and client are processes of their own; look-ups are sent when their time has come, answered or not. Goal: p99 below 5 ms.
 */
export async function run(cores: readonly number[]): Promise<void> {
  const missing = process.platform === 'linux' ? installMissing(['taskset']) : ['Linux']
  if (missing.length > 0) {
    console.log(`registry: skipped, because there is no ${missing.join(' and no ')}`)
    return
  }
  console.log(
    `look-ups among ${AGENTS} agents on ${NODES} nodes with heartbeats, ${RATE} a second (goal: p99 below 5 ms)`,
  )
  print(await onStore(cores, 'embedded'))
  print(await onEtcd(cores))
}

function print(rows: readonly (readonly string[])[]): void {
  if (rows.length > 0)
    console.log(renderTable([['', 'agents', 'p50 ms', 'p99 ms', 'max ms', 'CPU µs'], ...rows]))
}

async function onEtcd(cores: readonly number[]): Promise<string[][]> {
  if (versionOf('etcd', '--version') === undefined) {
    console.log('registry: the rows of etcd are left out, because there is no etcd')
    return []
  }
  const releases: (() => Promise<void>)[] = []
  const etcd = await startEtcd({ after: (release) => releases.push(release) })
  try {
    return await onStore(cores, 'etcd', { etcd: { host: [etcd.endpoint] } })
  } finally {
    for (const release of releases) await release()
  }
}

async function onStore(
  cores: readonly number[],
  store: string,
  deployment: object = {},
): Promise<string[][]> {
  const folder = await mkdtemp(join(tmpdir(), 'gatewright-bench-'))
  const gateway = await startGateway({ core: cores[0]!, folder, store, deployment })
  try {
    const upstream = { type: 'wrr_dynamic', discovery_type: 'registry', service_name: 'big' }
    await call(gateway, { method: 'PUT', path: 'admin/routes/1', body: { uri: '/*', upstream } })
    const stopNodes = await startNodes(gateway)
    const rows: string[][] = []
    rows.push(await measureBare(gateway, { core: cores[0]!, folder }))
    for (const lookUp of LOOK_UPS) rows.push(await measure(gateway, store, lookUp))
    await stopNodes()
    return rows
  } finally {
    await gateway.process.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

interface Place {
  readonly core: number
  readonly folder: string
  readonly store: string
  readonly deployment: object
}

async function startGateway({ core, folder, store, deployment }: Place): Promise<Gateway> {
  const at = async () => ({ ip: '127.0.0.1', port: await freePort() })
  const [proxy, status, admin] = [await at(), await at(), await at()]
  const settings = {
    apisix: { node_listen: [proxy], ssl: { enable: false }, status, control: await at() },
    deployment: { admin: { admin_listen: admin }, ...deployment },
    plugin_attr: { prometheus: { export_addr: await at() } },
    gatewright: {
      store,
      data_dir: folder,
      registry: { enable: true },
      log: { level: 'warn', access_log: 'off' },
    },
  }
  const file = join(folder, 'config.yaml')
  await writeFile(file, JSON.stringify(settings))
  const started = await startPinned({
    command: process.execPath,
    args: [PROGRAM, 'start', '-c', file],
    core,
    readyUrl: `http://127.0.0.1:${status.port}/status/ready`,
    cwd: folder,
  })
  const adminKey = (await readFile(join(folder, 'admin.key'), 'utf8')).trim()
  return { process: started, adminUrl: `http://127.0.0.1:${admin.port}`, adminKey }
}

/** The same answer from a server that does nothing else, on the same core: what is not the gateway's. */
async function measureBare(
  gateway: Gateway,
  { core, folder }: { core: number; folder: string },
): Promise<string[]> {
  const answer = join(folder, 'answer.json')
  const lookUp = { what: 'the first of these', query: () => 'capability=c0', listed: 40, total: 40 }
  await writeFile(answer, await call(gateway, { method: 'GET', path: `registry/agents?${lookUp.query()}` }))
  const port = await freePort()
  const adminUrl = `http://127.0.0.1:${port}`
  const started = await startPinned({
    command: process.execPath,
    args: ['-e', BARE_SERVER, answer, String(port)],
    core,
    readyUrl: adminUrl,
  })
  try {
    return await measure({ ...gateway, adminUrl, process: started }, 'bare server', lookUp)
  } finally {
    await started.stop()
  }
}

async function measure(gateway: Gateway, store: string, lookUp: LookUp): Promise<string[]> {
  const agent = new Agent({ keepAlive: true })
  await lookUpAtRate(gateway, { lookUp, agent, seconds: WARM_UP_SECONDS })
  const before = gateway.process.cpuMicros()
  const times = await lookUpAtRate(gateway, { lookUp, agent, seconds: SECONDS })
  const cpuMicros = (gateway.process.cpuMicros() - before) / times.length
  agent.destroy()
  const { what, listed, total } = lookUp
  const ms = [median(times), quantile(times, 0.99), Math.max(...times)].map((value) => value.toFixed(2))
  return [`${store}: ${what}`, `${listed} of ${total}`, ...ms, cpuMicros.toFixed(0)]
}

/** How long each took until its last byte was there, in ms. */
async function lookUpAtRate(
  gateway: Gateway,
  { lookUp, agent, seconds }: { lookUp: LookUp; agent: Agent; seconds: number },
): Promise<number[]> {
  const began = performance.now()
  const one = async (turn: number) => {
    await wait((turn * 1000) / RATE - (performance.now() - began))
    const path = `registry/agents?${lookUp.query(turn)}`
    const sentAt = performance.now()
    const text = await call(gateway, { method: 'GET', path, agent })
    const tookMs = performance.now() - sentAt
    const listed = text.split('"createdIndex"').length - 1
    if (listed !== lookUp.listed || !text.startsWith(`{"total":${lookUp.total},`))
      throw new Error(`${path} found ${listed} agents, not ${lookUp.listed} of ${lookUp.total}`)
    return tookMs
  }
  return Promise.all(Array.from({ length: RATE * seconds }, (_, turn) => one(turn)))
}

/** Registers all nodes from a process of their own, which sends their heartbeats from then on; the result ends it. */
async function startNodes({ adminUrl, adminKey }: Gateway): Promise<() => Promise<void>> {
  const child = fork(NODES_PROGRAM, [adminUrl, adminKey], { execArgv: ['--import', 'tsx'] })
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  const ended = once(child, 'exit').then(() => {
    throw new Error('the process of the registered nodes ended')
  })
  // Told to whoever waits for the registrations; nobody does when it is stopped.
  ended.catch(() => undefined)
  await Promise.race([once(child, 'message'), ended])
  return async () => {
    process.off('exit', killAtExit)
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

/** What runs in that process: nodes whose figures move their weights, with the time to live and the heartbeats that are usual. */
async function beNodes(gateway: string, key: string): Promise<void> {
  const startNode = (node: number) =>
    createRegistration({
      gateways: [gateway],
      key,
      node: { node_id: `n${node}`, endpoint: `http://10.0.0.${node}:80`, labels: { zone: `z${node % 5}` } },
      agents: Array.from({ length: AGENTS_PER_NODE }, (_, index) => ({
        type: 'big',
        key: `${node}-${index}`,
        endpoint: `http://10.0.${node}.${index}:80`,
        capabilities: [`c${index % 50}`],
        metadata: { model: 'm1', owner: `team-${index}` },
      })),
      metrics: () => ({ cpu_usage: Math.random() * 90, memory_usage: 50, average_processing_time: 20 }),
    }).start()
  await Promise.all(Array.from({ length: NODES }, (_, node) => startNode(node)))
  process.send!('registered')
  // The timers of registrations keep no process alive.
  process.on('message', () => undefined)
}

interface Call {
  readonly method: string
  /** Below `/apisix/`. */
  readonly path: string
  readonly body?: object
  readonly agent?: Agent
}

/** The body of a good answer. */
async function call(gateway: Gateway, { method, path, body, agent }: Call): Promise<string> {
  const sent = request(`${gateway.adminUrl}/apisix/${path}`, {
    method,
    headers: { 'x-api-key': gateway.adminKey },
    ...(agent && { agent }),
  })
  sent.end(body && JSON.stringify(body))
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  let text = ''
  answer.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  await once(answer, 'end')
  if (answer.statusCode! < 300) return text
  throw new Error(`${method} ${path} was answered with ${answer.statusCode}: ${text}`)
}

const isStarted = process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href
if (isStarted && process.send) await beNodes(process.argv[2]!, process.argv[3]!)
