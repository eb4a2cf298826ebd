import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { TestContext } from 'node:test'
import { parse } from 'yaml'
import { PROGRAM } from '../support/program.ts'
import { eventually } from '../support/watch-recording.ts'
import { createNetwork, type Network } from './namespaces.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const FOLDER = join(ROOT, 'docs/operate/compose')

export const MEMBERS = ['etcd-1', 'etcd-2', 'etcd-3'] as const
export const GATEWAYS = ['gateway-1', 'gateway-2'] as const
export const SAMPLES = ['sample-1', 'sample-2', 'sample-3'] as const
const BALANCER = 'balancer'

const KEYS = {
  ADMIN_KEY: 'a'.repeat(48),
  FIELD_KEY: 'f'.repeat(32),
  REGISTRY_KEY: 'c'.repeat(48),
}

/** A process of the cluster that the test ends and starts again. */
export interface Part {
  readonly host: string
  start(): void
  /** Resolves with its exit code, or the signal that ended it. */
  end(signal: NodeJS.Signals): Promise<number | string | null>
  /** What it has printed since it was started, the last of it. */
  output(): string
}

/** What docker-compose.yml describes, as plain processes: its files with addresses in place of names, and keys made up here. */
export interface ComposeCluster {
  readonly network: Network
  readonly members: readonly Part[]
  readonly gateways: readonly Part[]
  readonly samples: readonly Part[]
  /** Through the balancer. */
  readonly proxyUrl: string
  /** Asks the admin API, through the balancer unless a gateway is named. */
  admin(
    method: string,
    path: string,
    body?: string,
    gateway?: string,
  ): Promise<{ status: number; text: string }>
  /** Text of an address of one of the hosts; rejects when it is no 2xx. */
  read(host: string, portAndPath: string): Promise<string>
  /** Waits until the balancer sends connections to all of them, or says who is missing. */
  balanced(hosts: readonly string[]): Promise<void>
  /** Waits until a member of etcd takes part. */
  healthy(member: string): Promise<void>
}

/** Starts all of it and waits until it serves; taken down when the test ends, however it ends. */
export async function startComposeCluster(
  t: TestContext,
  traceCollectorPort: number,
): Promise<ComposeCluster> {
  const network = createNetwork([...MEMBERS, ...GATEWAYS, BALANCER, ...SAMPLES])
  const folder = mkdtempSync(join(tmpdir(), 'gatewright-cluster-'))
  t.after(async () => {
    await network.down()
    rmSync(folder, { recursive: true, force: true })
  })
  const workplace: Workplace = {
    network,
    folder,
    collector: `${network.address('here')}:${traceCollectorPort}`,
  }
  const members = MEMBERS.map((name) => memberOf(workplace, name))
  const gateways = GATEWAYS.map((name) => gatewayOf(workplace, name))
  const balancer = balancerOf(workplace)
  const samples = SAMPLES.map((name) => sampleOf(workplace, name))
  const cluster = clusterOf(network, { members, gateways, samples })
  for (const part of members) part.start()
  for (const part of gateways) part.start()
  balancer.start()
  for (const part of samples) part.start()
  for (const name of MEMBERS) await cluster.healthy(name)
  await cluster.balanced(GATEWAYS)
  return cluster
}

function clusterOf(
  network: Network,
  parts: Pick<ComposeCluster, 'members' | 'gateways' | 'samples'>,
): ComposeCluster {
  const read = async (host: string, portAndPath: string): Promise<string> => {
    const response = await fetch(`http://${network.address(host)}:${portAndPath}`, {
      signal: AbortSignal.timeout(2000),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${host}:${portAndPath} answered ${response.status}: ${text}`)
    return text
  }
  const holds = async (host: string, portAndPath: string, test: (text: string) => boolean) => {
    const what = `${host}:${portAndPath} is as it should be`
    try {
      await eventually(what, () => read(host, portAndPath).then(test, () => false), PATIENCE_MS)
    } catch (error) {
      const said = parts.gateways.map((part) => `${part.host}: ${part.output()}`).join('\n')
      throw new Error(`${(error as Error).message}\n${said}`)
    }
  }
  return {
    network,
    ...parts,
    proxyUrl: `http://${network.address(BALANCER)}:9080`,
    read,
    admin: async (method, path, body, gateway = BALANCER) => {
      const response = await fetch(`http://${network.address(gateway)}:9180/apisix/admin/${path}`, {
        method,
        headers: { 'x-api-key': KEYS.ADMIN_KEY },
        signal: AbortSignal.timeout(10_000),
        ...(body !== undefined && { body }),
      })
      return { status: response.status, text: await response.text() }
    },
    balanced: (hosts) =>
      holds(BALANCER, '8404/metrics', (text) =>
        hosts.every((host) => BACKENDS.every((proxy) => text.includes(upLine(proxy, host)))),
      ),
    healthy: (member) => holds(member, '2379/health', (text) => text.includes('"true"')),
  }
}

/** Of the balancer. */
const BACKENDS = ['proxy', 'admin']

function upLine(proxy: string, server: string): string {
  return `haproxy_server_status{proxy="${proxy}",server="${server}",state="UP"} 1`
}

const PATIENCE_MS = 30_000
const LAST_CHARACTERS = 2000

interface Workplace {
  readonly network: Network
  readonly folder: string
  /** Where traces are sent. */
  readonly collector: string
}

interface Program {
  readonly command: readonly [string, ...string[]]
  readonly environment?: Readonly<Record<string, string>>
}

function partOf({ network, folder }: Workplace, host: string, { command, environment }: Program): Part {
  let child: ChildProcess | undefined
  let text = ''
  return {
    host,
    output: () => text,
    start: () => {
      text = ''
      child = network.start(host, command, {
        cwd: folder,
        env: { PATH: process.env['PATH'], ...environment },
      })
      for (const stream of [child.stdout, child.stderr]) {
        stream?.on('data', (chunk: Buffer) => {
          text = (text + chunk).slice(-LAST_CHARACTERS)
        })
      }
    },
    end: (signal) =>
      new Promise((resolve) => {
        child!.once('exit', (code, by) => resolve(code ?? by))
        child!.kill(signal)
      }),
  }
}

/** With the environment that docker-compose.yml gives it. */
function memberOf(workplace: Workplace, name: string): Part {
  const { services } = parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true })
  const environment: Record<string, string> = {}
  for (const [variable, value] of Object.entries<string>(services[name].environment)) {
    environment[variable] = withAddresses(workplace, value)
  }
  environment['ETCD_DATA_DIR'] = join(workplace.folder, name)
  return partOf(workplace, name, { command: ['etcd'], environment })
}

function gatewayOf(workplace: Workplace, name: string): Part {
  const config = join(workplace.folder, `${name}.yaml`)
  const text = withAddresses(workplace, readFileSync(join(FOLDER, 'config.yaml'), 'utf8'))
  const own = text
    .replace(
      'gatewright:\n',
      `gatewright:\n  data_dir: ${join(workplace.folder, name)}\n  log: { access_log: 'off' }\n`,
    )
    .replace('jaeger:4318', workplace.collector)
    // The machine that runs the tests is outside of Docker's networks.
    .replace('allow_admin:\n', `allow_admin:\n      - ${workplace.network.address('here')}/24\n`)
  writeFileSync(config, own)
  const command = [process.execPath, ...PROGRAM, 'start', '-c', config] as const
  return partOf(workplace, name, { command, environment: KEYS })
}

function balancerOf(workplace: Workplace): Part {
  const config = join(workplace.folder, 'haproxy.cfg')
  writeFileSync(config, withAddresses(workplace, readFileSync(join(FOLDER, 'haproxy.cfg'), 'utf8')))
  return partOf(workplace, BALANCER, { command: ['haproxy', '-f', config] })
}

function sampleOf(workplace: Workplace, name: string): Part {
  const { network } = workplace
  return partOf(workplace, name, {
    command: [process.execPath, join(FOLDER, 'sample.mjs')],
    environment: {
      REGISTRY_URL: `http://${network.address(BALANCER)}:9180/apisix/registry`,
      REGISTRY_KEY: KEYS.REGISTRY_KEY,
      NODE_ID: name,
    },
  })
}

/** Names of services become addresses wherever a port follows; the names of etcd's members stay. */
function withAddresses({ network }: Workplace, text: string): string {
  return text.replace(/\b(etcd-\d|gateway-\d)(?=:\d)/g, (name) => network.address(name))
}
