import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { ADMIN_KEY } from '../../src/testing/start-gateway.ts'
import { PROGRAM } from './program.ts'
import { eventually } from './watch-recording.ts'

const ANY = { ip: '127.0.0.1', port: 0 }

export interface NodeOptions {
  readonly workers: number
  /** How long to wait until it serves; default 60,000. */
  readonly startLimitMs?: number
  /** Sections of the settings file that replace the ones here. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Own keys of the settings. */
  readonly gatewright?: Readonly<Record<string, unknown>>
  /** Plugins of the user's own: JavaScript by name. */
  readonly plugins?: Readonly<Record<string, string>>
}

/** A worker as the control API shows it. */
export interface ShownWorker {
  readonly place?: number
  readonly state: string
  readonly pid?: number
  readonly generation?: number
  readonly revision?: number
  readonly restarts: number
  readonly crash_loop: boolean
}

/** A gateway as it runs for users: `gatewright start`, with its workers, in processes of their own. */
export interface SpawnedNode {
  readonly pid: number
  readonly proxyUrl: string
  readonly proxyPort: number
  readonly statusUrl: string
  readonly controlUrl: string
  readonly metricsUrl: string
  readonly directory: string
  /** What it has printed, both streams. */
  output(): string
  admin(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>
  /** Writes a route and waits until all workers serve it. */
  route(id: string, document: Readonly<Record<string, unknown>>): Promise<void>
  workers(): Promise<readonly ShownWorker[]>
  /** Those that take connections; waits until there are as many as asked for. */
  serving(count?: number): Promise<readonly ShownWorker[]>
  /** The same, none of them among these: a process that was killed is shown until the primary hears of its end. */
  servingWithout(gone: readonly ShownWorker[], count?: number): Promise<readonly ShownWorker[]>
  readiness(): Promise<{ status: number; text: string }>
  metrics(): Promise<string>
  signal(name: NodeJS.Signals): void
  /** Resolves with its exit code, or the signal that ended it. */
  readonly exited: Promise<number | string | null>
}

/** A port that was free when a gateway chose it may be somebody else's by the time its workers listen. */
const STARTS = 3

/** Runs `start` again when it fails for a port that was taken meanwhile. */
export async function withFreePorts<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start()
    } catch (error) {
      if (attempt === STARTS || !/port \d+ on 127\.0\.0\.1 is taken/.test((error as Error).message))
        throw error
    }
  }
}

/** Starts one and waits until it serves; it is killed when the test ends, its workers with it. */
export function spawnNode(t: Pick<TestContext, 'after'>, options: NodeOptions): Promise<SpawnedNode> {
  return withFreePorts(() => spawnOnce(t, options))
}

async function spawnOnce(t: Pick<TestContext, 'after'>, options: NodeOptions): Promise<SpawnedNode> {
  const { child, directory, output, exited } = launch(t, options)
  const ended = exited.then((how) => {
    throw new Error(`the gateway ended with ${how}:\n${output()}`)
  })
  ended.catch(() => undefined)
  const find = (name: string) =>
    new RegExp(`^  ${name} +(http://127\\.0\\.0\\.1:\\d+)`, 'm').exec(output())?.[1]
  await Promise.race([
    eventually('the gateway serves', () => find('metrics'), options.startLimitMs ?? 60_000),
    ended,
  ])
  const proxyUrl = find('proxy')!
  const controlUrl = find('control')!
  const workers = async () => (await (await fetch(`${controlUrl}/v1/workers`)).json()) as ShownWorker[]
  const servingOnly = async (count: number, isWanted: (worker: ShownWorker) => boolean) => {
    let found: readonly ShownWorker[] = []
    await eventually(
      `${count} workers serve`,
      async () => {
        found = (await workers()).filter(({ state }) => state === 'serving')
        return found.length === count && found.every(isWanted)
      },
      30_000,
    )
    return found
  }
  const admin = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`${find('admin')}/apisix/admin/${path}`, {
      method,
      headers: { 'x-api-key': ADMIN_KEY, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: /^[[{]/.test(text) ? JSON.parse(text) : text }
  }
  return {
    pid: child.pid!,
    proxyUrl,
    proxyPort: Number(new URL(proxyUrl).port),
    statusUrl: find('status')!,
    controlUrl,
    metricsUrl: `${find('metrics')}/apisix/prometheus/metrics`,
    directory,
    output,
    admin,
    route: async (id, document) => {
      const { status, body } = await admin('PUT', `routes/${id}?wait=applied`, document)
      if (status >= 300) throw new Error(`the route was refused: ${status} ${JSON.stringify(body)}`)
    },
    workers,
    serving: (count = options.workers) => servingOnly(count, () => true),
    servingWithout: (gone, count = options.workers) =>
      servingOnly(count, ({ pid }) => gone.every((one) => one.pid !== pid)),
    readiness: async () => {
      const response = await fetch(`${find('status')}/status/ready`)
      return { status: response.status, text: await response.text() }
    },
    metrics: async () => (await fetch(`${find('metrics')}/apisix/prometheus/metrics`)).text(),
    signal: (name) => void child.kill(name),
    exited,
  }
}

interface Launched {
  readonly child: ChildProcess
  readonly directory: string
  readonly exited: Promise<number | string | null>
  output(): string
}

function launch(t: Pick<TestContext, 'after'>, options: NodeOptions): Launched {
  const directory = mkdtempSync(join(tmpdir(), 'gatewright-node-'))
  writeFileSync(join(directory, 'config.yaml'), JSON.stringify(settingsOf(options)))
  for (const [name, code] of Object.entries(options.plugins ?? {})) {
    mkdirSync(join(directory, 'plugins', name), { recursive: true })
    writeFileSync(join(directory, 'plugins', name, 'index.js'), code)
  }
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}')
  const child = spawn(process.execPath, [...PROGRAM, 'start', '-c', 'config.yaml'], {
    cwd: directory,
    // A group of its own, so that whatever a test leaves behind can be ended.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  child.stdout.on('data', (chunk) => (text += chunk))
  child.stderr.on('data', (chunk) => (text += chunk))
  const exited = once(child, 'exit').then(([code, signal]) => code ?? signal)
  t.after(async () => {
    try {
      process.kill(-child.pid!, 'SIGKILL')
    } catch {
      // Nobody is left of the group, as it should be.
    }
    await exited
    rmSync(directory, { recursive: true, force: true })
  })
  return { child, directory, exited, output: () => text }
}

/** The machine has other tests to run: how late a gateway is there says nothing of it. */
const NO_PRESSURE = { overload_delay_ms: 0, max_event_loop_delay_ms: 0, max_heap_percent: 0 }

function settingsOf({ workers, settings, gatewright, plugins }: NodeOptions): object {
  return {
    apisix: { node_listen: [ANY], ssl: { enable: false }, status: ANY, control: ANY },
    plugin_attr: { prometheus: { export_addr: ANY } },
    deployment: {
      admin: { admin_listen: ANY, admin_key: [{ name: 'admin', key: ADMIN_KEY, role: 'admin' }] },
    },
    ...settings,
    gatewright: {
      ...{ store: 'memory', workers, data_dir: 'data', log: { access_log: 'off' }, pressure: NO_PRESSURE },
      ...(plugins && { plugin_paths: ['plugins'] }),
      ...gatewright,
    },
  }
}
