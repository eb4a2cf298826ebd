import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask, type EtcdOwner, endWithThisProcess, freePort } from './etcd.ts'
import { eventually } from './watch-recording.ts'

/** One member of a real etcd. */
export interface EtcdMember {
  readonly endpoint: string
  kill9(): Promise<void>
  /** Lets it hang: its connections stay open, and nothing is answered. */
  pause(): void
  resume(): void
  restart(): Promise<void>
}

/** A real etcd whose members the test makes fail. */
export interface EtcdCluster {
  readonly endpoints: readonly string[]
  readonly members: readonly EtcdMember[]
  /** As a living member sees it. */
  leader(): Promise<EtcdMember>
  /** Calls a door of etcd's HTTP gateway at the first member that answers. */
  post(path: string, body: unknown): Promise<unknown>
}

export interface EtcdClusterOptions {
  readonly members?: number
  /** Where the members listen, and what starts them there, such as `ip netns exec NAME`. */
  readonly at?: { readonly ip: string; readonly command: readonly string[] }
}

const PATIENCE_MS = 20_000

/** Starts etcd with some members, three unless told, and waits until they have a leader. Stopped when the owner ends. */
export async function startEtcdCluster(
  owner: EtcdOwner,
  { members: count = 3, at = { ip: '127.0.0.1', command: [] } }: EtcdClusterOptions = {},
): Promise<EtcdCluster> {
  const directory = mkdtempSync(join(tmpdir(), 'gatewright-etcd-'))
  const places: Place[] = []
  for (let i = 0; i < count; i++) {
    const [client, peer] = [await freePort(), await freePort()].map((port) => `http://${at.ip}:${port}`)
    places.push({ name: `m${i}`, client: client!, peer: peer!, data: join(directory, `m${i}`) })
  }
  const peers = places.map(({ name, peer }) => `${name}=${peer}`).join(',')
  const members = places.map((place) => new Member(place, peers, at.command))
  owner.after(async () => {
    for (const member of members) await member.kill9()
    rmSync(directory, { recursive: true, force: true })
  })
  for (const member of members) member.start()
  await Promise.all(members.map((member) => member.becomesHealthy()))
  const cluster = {
    endpoints: members.map(({ endpoint }) => endpoint),
    members,
    leader: () => leaderOf(members),
    post: (path: string, body: unknown) => firstAnswer(members, path, body),
  }
  return cluster
}

interface Place {
  readonly name: string
  readonly client: string
  readonly peer: string
  readonly data: string
}

class Member implements EtcdMember {
  readonly endpoint: string
  readonly #place: Place
  readonly #peers: string
  readonly #command: readonly string[]
  #process: ChildProcess | undefined
  #output = ''

  constructor(place: Place, peers: string, command: readonly string[]) {
    this.endpoint = place.client
    this.#place = place
    this.#peers = peers
    this.#command = command
  }

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  start(): void {
    const { name, client, peer, data } = this.#place
    const [file, ...args] = [
      ...[...this.#command, 'etcd', '--name', name, '--data-dir', data],
      ...['--initial-cluster', this.#peers, '--initial-cluster-state', 'new'],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      // Long enough for three members on a busy machine, short enough for a test.
      ...['--heartbeat-interval', '50', '--election-timeout', '500'],
    ]
    this.#process = spawn(file!, args)
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk).slice(-2000)
      })
    }
    endWithThisProcess(this.#process)
  }

  async becomesHealthy(): Promise<void> {
    const isHealthy = async () => {
      try {
        return ((await ask(`${this.endpoint}/health`)) as { health?: string }).health === 'true'
      } catch {
        // Not listening yet, or without a leader.
        return false
      }
    }
    await eventually(`a healthy member ${this.#place.name}`, isHealthy, PATIENCE_MS).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.#output}`)
    })
  }

  async kill9(): Promise<void> {
    const running = this.#process
    this.#process = undefined
    if (!running || running.exitCode !== null || running.signalCode !== null) return
    running.kill('SIGKILL')
    await once(running, 'exit')
  }

  pause(): void {
    this.#process?.kill('SIGSTOP')
  }

  resume(): void {
    this.#process?.kill('SIGCONT')
  }

  async restart(): Promise<void> {
    await this.kill9()
    this.start()
    await this.becomesHealthy()
  }
}

async function leaderOf(members: readonly Member[]): Promise<Member> {
  for (const member of members.filter(({ isRunning }) => isRunning)) {
    const { header, leader } = (await ask(`${member.endpoint}/v3/maintenance/status`, {})) as {
      readonly header: { readonly member_id: string }
      readonly leader?: string
    }
    if (leader === header.member_id) return member
  }
  throw new Error('no member says that it leads')
}

async function firstAnswer(members: readonly Member[], path: string, body: unknown): Promise<unknown> {
  let failure: unknown
  for (const { endpoint, isRunning } of members) {
    if (!isRunning) continue
    try {
      return await ask(endpoint + path, body)
    } catch (error) {
      failure = error
    }
  }
  throw failure
}
