import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

/** Whoever runs the clean-up: a test's context, or `{ after }` of a suite. */
export interface RedisOwner {
  after(release: () => Promise<void>): void
}

export interface RedisStart {
  readonly password?: string
  /** PEM texts; serves TLS instead of plain TCP. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca: string }
  /** Further lines of its configuration, such as `appendonly no`. */
  readonly lines?: readonly string[]
  /** Watches masters instead of keeping data. */
  readonly isSentinel?: boolean
}

/** A real redis on loopback, with a directory of its own that is removed at the end. */
export interface RunningRedis {
  readonly host: '127.0.0.1'
  /** Stays the same over restarts. */
  readonly port: number
  /** The answer to a command; rejects when the server refuses it. */
  command(name: string, ...args: (string | number)[]): Promise<unknown>
  /** Kills the process as a crash would. */
  kill9(): Promise<void>
  /** Starts it again, empty, on the same port. */
  restart(): Promise<void>
  /** Stops it in its tracks: connections stay and nothing is answered. */
  freeze(): void
  thaw(): void
}

const START_DEADLINE_MS = 10_000
const SLOTS = 16_384
const HIGHEST_PORT = 55_535

/** Starts redis from the PATH and waits until it answers. Stops it, by its own pid, when the owner ends. */
export async function startRedis(owner: RedisOwner, options: RedisStart = {}): Promise<RunningRedis> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnFreePort(owner, options)
    } catch (error) {
      // Someone else may have taken the port between finding and using it.
      if (attempt === 3) throw error
    }
  }
}

/** Masters that share the slots of one cluster between them. */
export async function startRedisCluster(owner: RedisOwner, size = 3): Promise<readonly RunningRedis[]> {
  const nodes: RunningRedis[] = []
  for (let i = 0; i < size; i++) {
    nodes.push(await startRedis(owner, { lines: ['cluster-enabled yes', 'cluster-node-timeout 2000'] }))
  }
  const [first] = nodes
  for (const [i, node] of nodes.entries()) {
    const [from, to] = [i, i + 1].map((n) => Math.floor((n * SLOTS) / size)) as [number, number]
    await node.command('CLUSTER', 'ADDSLOTS', ...Array.from({ length: to - from }, (_, n) => from + n))
    if (node !== first) await node.command('CLUSTER', 'MEET', '127.0.0.1', first!.port)
  }
  for (const node of nodes) {
    await until(async () => String(await node.command('CLUSTER', 'INFO')).includes('cluster_state:ok'))
  }
  return nodes
}

export interface SentinelSetup {
  readonly master: RunningRedis
  readonly replica: RunningRedis
  readonly sentinels: readonly RunningRedis[]
  /** What the sentinels call the master. */
  readonly name: string
  /** The port of the server that is the master now. */
  masterPort(): Promise<number>
}

/** A master with a replica, and a sentinel that may promote it. */
export async function startSentinel(
  owner: RedisOwner,
  { password }: { readonly password?: string } = {},
): Promise<SentinelSetup> {
  const name = 'limits'
  const master = await startRedis(owner, password === undefined ? {} : { password })
  const replica = await startRedis(owner, {
    ...(password !== undefined && { password }),
    lines: [`replicaof 127.0.0.1 ${master.port}`, ...(password ? [`masterauth ${password}`] : [])],
  })
  await until(async () =>
    String(await replica.command('INFO', 'replication')).includes('master_link_status:up'),
  )
  const sentinel = await startRedis(owner, {
    isSentinel: true,
    lines: [
      `sentinel monitor ${name} 127.0.0.1 ${master.port} 1`,
      `sentinel down-after-milliseconds ${name} 500`,
      `sentinel failover-timeout ${name} 2000`,
      ...(password === undefined ? [] : [`sentinel auth-pass ${name} ${password}`]),
    ],
  })
  await until(async () =>
    JSON.stringify(await sentinel.command('SENTINEL', 'replicas', name)).includes(String(replica.port)),
  )
  const masterPort = async () =>
    Number(((await sentinel.command('SENTINEL', 'get-master-addr-by-name', name)) as string[])[1])
  return { master, replica, sentinels: [sentinel], name, masterPort }
}

async function startOnFreePort(owner: RedisOwner, options: RedisStart): Promise<RunningRedis> {
  const directory = mkdtempSync(join(tmpdir(), 'gatewright-redis-'))
  const port = await freePort()
  const launch = { directory, port, options }
  let server: ChildProcess | undefined
  const kill = async () => {
    const running = server
    server = undefined
    if (!running || running.exitCode !== null || running.signalCode !== null) return
    running.kill('SIGKILL')
    await once(running, 'exit')
  }
  owner.after(async () => {
    await kill()
    rmSync(directory, { recursive: true, force: true })
  })
  server = await launchRedis(launch)
  return {
    host: '127.0.0.1',
    port,
    command: (name, ...args) => askRedis(launch, name, args),
    kill9: kill,
    async restart() {
      await kill()
      server = await launchRedis(launch)
    },
    freeze: () => void server?.kill('SIGSTOP'),
    thaw: () => void server?.kill('SIGCONT'),
  }
}

interface Launch {
  readonly directory: string
  readonly port: number
  readonly options: RedisStart
}

async function launchRedis({ directory, port, options }: Launch): Promise<ChildProcess> {
  const file = join(directory, 'redis.conf')
  writeFileSync(file, configuration({ directory, port, options }))
  const server = spawn('redis-server', [file, ...(options.isSentinel ? ['--sentinel'] : [])])
  let output = ''
  for (const stream of [server.stdout, server.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk).slice(-4000)
    })
  }
  let failure: Error | undefined
  server.once('error', (error) => {
    failure = new Error(`redis could not be started: ${error.message}; put redis-server on the PATH`)
  })
  server.once('exit', () => {
    failure ??= new Error(`redis ended while starting:\n${output}`)
  })
  endWithThisProcess(server)
  try {
    await until(async () => failure !== undefined || (await isAnswering({ directory, port, options })))
    if (failure) throw failure
  } catch (error) {
    server.kill('SIGKILL')
    throw error
  }
  return server
}

function configuration({
  directory,
  port,
  options: { password, tls, lines = [], isSentinel },
}: Launch): string {
  const own = ['bind 127.0.0.1', 'daemonize no', `dir ${directory}`, ...lines]
  if (!isSentinel) own.push('save ""')
  if (password !== undefined) own.push(`requirepass ${password}`)
  if (!tls) return `${[`port ${port}`, ...own].join('\n')}\n`
  const folder = join(directory, 'tls')
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of Object.entries(tls)) writeFileSync(join(folder, `${name}.pem`), text)
  const secure = ['port 0', `tls-port ${port}`, 'tls-auth-clients no']
  const files = ['key', 'cert', 'ca'].map(
    (name) => `tls-${name === 'ca' ? 'ca-cert' : name}-file ${join(folder, `${name}.pem`)}`,
  )
  return `${[...secure, ...files, ...own].join('\n')}\n`
}

async function askRedis(
  { port, options: { password, tls } }: Launch,
  name: string,
  args: readonly (string | number)[],
): Promise<unknown> {
  const client = new Redis({
    port,
    host: '127.0.0.1',
    ...(password !== undefined && { password }),
    // Its certificate is the test's subject, not the support's.
    ...(tls && { tls: { rejectUnauthorized: false } }),
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: null,
    commandTimeout: 5000,
  })
  // What is wrong is told by the command.
  client.on('error', () => {})
  try {
    return await client.call(name, ...args)
  } finally {
    client.disconnect()
  }
}

async function isAnswering(launch: Launch): Promise<boolean> {
  try {
    return (await askRedis(launch, 'PING', [])) === 'PONG'
  } catch {
    // Not listening yet; the caller has a deadline.
    return false
  }
}

const servers = new Set<ChildProcess>()

/** A test file that fails early must not leave servers behind. */
function endWithThisProcess(server: ChildProcess): void {
  if (servers.size === 0) {
    process.once('exit', () => {
      for (const left of servers) left.kill('SIGKILL')
    })
  }
  servers.add(server)
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + START_DEADLINE_MS
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`redis was not ready within ${START_DEADLINE_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Low enough for the bus of a cluster's node, which listens 10,000 above. */
async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    await new Promise((resolve) => server.close(resolve))
    if (address === null || typeof address === 'string') throw new Error('no port was given')
    if (address.port <= HIGHEST_PORT) return address.port
  }
}
