import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Whoever runs the clean-up: a test's context, or `{ after }` of a suite. */
export interface EtcdOwner {
  after(release: () => Promise<void>): void
}

export interface EtcdOptions {
  /** Further command line options, such as `--quota-backend-bytes=…`. */
  readonly args?: readonly string[]
  /** Serves TLS with a certificate that etcd signs itself. */
  readonly isSecure?: boolean
}

/** A real etcd of one member on loopback, with a data directory that is removed at the end. */
export interface RunningEtcd {
  /** `http://127.0.0.1:<port>`, or `https:`; stays the same over restarts. */
  readonly endpoint: string
  readonly port: number
  /** Path of the server's certificate when it serves TLS. */
  readonly certificatePath: string
  /** Calls a door of etcd's HTTP gateway, such as `/v3/kv/txn`; throws when it refuses. */
  post(path: string, body: unknown): Promise<unknown>
  /** Kills the process as a crash would. */
  kill9(): Promise<void>
  /** Starts it again on the same ports after {@link kill9}; with `isEmptied` without any of its data, with `backup` with those of {@link backUp}. */
  restart(options?: { readonly isEmptied?: boolean; readonly backup?: string }): Promise<void>
  /** Writes what it holds into a file, as `etcdctl snapshot save` does; see {@link whyNoBackups}. Returns its path. */
  backUp(): string
  /** Forgets the history below `revision`. */
  compact(revision: number): Promise<void>
  stop(): Promise<void>
}

const START_DEADLINE_MS = 20_000

/** Starts etcd from the PATH and waits until it is healthy. Stops it, by its own pid, when the owner ends. */
export async function startEtcd(owner: EtcdOwner, options: EtcdOptions = {}): Promise<RunningEtcd> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnFreePorts(owner, options)
    } catch (error) {
      // Someone else may have taken a port between finding and using it.
      if (attempt === 3) throw error
    }
  }
}

async function startOnFreePorts(owner: EtcdOwner, options: EtcdOptions): Promise<RunningEtcd> {
  const directory = mkdtempSync(join(tmpdir(), 'gatewright-etcd-'))
  const port = await freePort()
  const endpoint = `${options.isSecure ? 'https' : 'http'}://127.0.0.1:${port}`
  const args = [...(options.isSecure ? ['--auto-tls'] : []), ...(options.args ?? [])]
  const launch = { dataDirectory: join(directory, 'data'), endpoint, peerPort: await freePort(), args }
  let server: ChildProcess | undefined
  const kill = async (signal: NodeJS.Signals) => {
    const running = server
    server = undefined
    if (!running || running.exitCode !== null || running.signalCode !== null) return
    running.kill(signal)
    await once(running, 'exit')
  }
  const stop = async () => {
    await kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
  owner.after(stop)
  server = await launchEtcd(launch)
  return {
    endpoint,
    port,
    certificatePath: join(launch.dataDirectory, 'fixtures', 'client', 'cert.pem'),
    post: (path, body) => ask(endpoint + path, body),
    kill9: () => kill('SIGKILL'),
    async restart({ isEmptied = false, backup } = {}) {
      await kill('SIGKILL')
      if (isEmptied || backup !== undefined) rmSync(launch.dataDirectory, { recursive: true, force: true })
      if (backup !== undefined) restore(launch, backup)
      server = await launchEtcd(launch)
    },
    backUp() {
      const path = join(directory, `backup-${performance.now()}`)
      backUpTool(['--endpoints', endpoint, 'snapshot', 'save', path])
      return path
    },
    async compact(revision) {
      await ask(`${endpoint}/v3/kv/compaction`, { revision: String(revision), physical: true })
    },
    stop,
  }
}

interface Launch {
  readonly dataDirectory: string
  readonly endpoint: string
  readonly peerPort: number
  readonly args: readonly string[]
}

async function launchEtcd({
  dataDirectory,
  endpoint: client,
  peerPort,
  args,
}: Launch): Promise<ChildProcess> {
  const peer = `http://127.0.0.1:${peerPort}`
  const server = spawn('etcd', [
    ...['--name', 'one', '--data-dir', dataDirectory, '--initial-cluster', `one=${peer}`],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
    // One member elects itself; short terms make it do so at once and allow leases of one second.
    ...['--heartbeat-interval', '20', '--election-timeout', '200', ...args],
  ])
  let output = ''
  for (const stream of [server.stdout, server.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk).slice(-4000)
    })
  }
  let failure: Error | undefined
  server.once('error', (error) => {
    failure = new Error(`etcd could not be started: ${error.message}; put an etcd 3.4 or later on the PATH`)
  })
  server.once('exit', () => {
    failure ??= new Error(`etcd ended while starting:\n${output}`)
  })
  endWithThisProcess(server)
  const deadline = Date.now() + START_DEADLINE_MS
  while (!(await isHealthy(client))) {
    if (Date.now() > deadline)
      failure ??= new Error(`etcd was not healthy within ${START_DEADLINE_MS} ms:\n${output}`)
    if (failure) {
      server.kill('SIGKILL')
      throw failure
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return server
}

/** Why backups cannot be made and restored here; absent when they can. */
export function whyNoBackups(): string | undefined {
  const isThere = spawnSync('etcdctl', ['version'], { stdio: 'ignore' }).status === 0
  return isThere ? undefined : 'etcdctl is not on the PATH (Debian: etcd-client)'
}

function restore({ dataDirectory, peerPort }: Launch, backup: string): void {
  const peer = `http://127.0.0.1:${peerPort}`
  backUpTool([
    ...['snapshot', 'restore', backup, '--name', 'one', '--data-dir', dataDirectory],
    ...['--initial-cluster', `one=${peer}`, '--initial-advertise-peer-urls', peer],
  ])
}

/** etcd 3.6 has given the restoring to a tool of its own. */
function backUpTool(args: readonly string[]): void {
  const isApart =
    args.includes('restore') && spawnSync('etcdutl', ['version'], { stdio: 'ignore' }).status === 0
  execFileSync(isApart ? 'etcdutl' : 'etcdctl', args, {
    env: { ...process.env, ETCDCTL_API: '3' },
    stdio: 'pipe',
  })
}

const servers = new Set<ChildProcess>()

/** A test file that fails early must not leave servers behind. */
export function endWithThisProcess(server: ChildProcess): void {
  if (servers.size === 0) {
    process.once('exit', () => {
      for (const left of servers) left.kill('SIGKILL')
    })
  }
  servers.add(server)
}

async function isHealthy(endpoint: string): Promise<boolean> {
  try {
    return ((await ask(`${endpoint}/health`)) as { health?: string }).health === 'true'
  } catch {
    // Not listening yet; the caller has a deadline.
    return false
  }
}

/** One request, a POST when there is a body. The certificate is etcd's own, so it is not checked. */
export async function ask(url: string, body?: unknown): Promise<unknown> {
  const { request } = url.startsWith('https:') ? https : http
  const method = body === undefined ? 'GET' : 'POST'
  const asked = request(url, {
    method,
    agent: false,
    timeout: 5000,
    rejectUnauthorized: false,
  } as https.RequestOptions)
  asked.once('timeout', () => asked.destroy(new Error(`${url} did not answer`)))
  asked.end(body === undefined ? undefined : JSON.stringify(body))
  const [answer] = (await once(asked, 'response')) as [http.IncomingMessage]
  let text = ''
  for await (const chunk of answer) text += chunk
  if (answer.statusCode !== 200) throw new Error(`${url} answered ${answer.statusCode}: ${text}`)
  return JSON.parse(text)
}

/** One that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}
