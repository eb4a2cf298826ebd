import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

/** Hosts of a network of their own: one namespace each, all at one switch, with the machine itself as one more host. */
export interface Network {
  /** Address of a host, or of this machine as they see it. */
  address(host: string): string
  /** Starts a process on a host. It is killed when the network is taken down. */
  start(host: string, command: readonly [string, ...string[]], options?: SpawnOptions): ChildProcess
  /** From now on frames between the two get lost, without a word to either; connections stay open. */
  cut(one: string, other: string): void
  /** They arrive again. */
  mend(one: string, other: string): void
  /** Kills what still runs, by its pid, and removes every namespace. Idempotent. */
  down(): Promise<void>
}

/** Why no network can be made here, or `false`: what the tests of a cluster are skipped with. */
export function missingForNetworks(commands: readonly string[]): string | false {
  if (process.platform !== 'linux') return 'network namespaces are a matter of Linux'
  if (process.getuid?.() !== 0) return 'network namespaces take root'
  const missing = commands.filter((command) => spawnSync('sh', ['-c', `command -v ${command}`]).status !== 0)
  if (missing.length > 0) return `not on the PATH: ${missing.join(', ')}`
  const probe = `gw-probe-${process.pid}`
  const made = spawnSync('ip', ['netns', 'add', probe])
  if (made.status !== 0) return `no network namespace can be made: ${String(made.stderr).trim()}`
  spawnSync('ip', ['netns', 'del', probe])
  return false
}

/** Where frames go that are to get lost: nobody has this address. */
const NOWHERE = '02:00:00:00:00:01'

/** Makes the network; throws when `ip` refuses, and leaves nothing behind then. */
export function createNetwork(hosts: readonly string[]): Network {
  // For benchmarks between networks (RFC 2544), so that nobody is really there.
  const subnet = `198.19.${process.pid % 256}`
  const network = new Namespaces(`gw${process.pid}`, subnet, hosts)
  process.once('exit', network.removeAtOnce)
  // What the runner sends to a file that takes too long; by itself it would end this process without its `exit`.
  process.once('SIGTERM', endAtOnce)
  try {
    network.up()
  } catch (error) {
    network.removeAtOnce()
    throw error
  }
  return network
}

function endAtOnce(): void {
  process.exit(1)
}

class Namespaces implements Network {
  readonly #prefix: string
  readonly #subnet: string
  readonly #hosts: readonly string[]
  readonly #running = new Set<ChildProcess>()

  constructor(prefix: string, subnet: string, hosts: readonly string[]) {
    this.#prefix = prefix
    this.#subnet = subnet
    this.#hosts = hosts
  }

  up(): void {
    const own = this.#prefix
    this.#ip(`netns add ${own}-switch`, ...this.#hosts.map((host) => `netns add ${this.#space(host)}`))
    this.#ip(
      `link add ${own}m type veth peer name up0 netns ${own}-switch`,
      `addr add ${this.#subnet}.254/24 dev ${own}m`,
      `link set ${own}m up`,
      ...this.#hosts.map(
        (host, index) =>
          `link add h${index} netns ${own}-switch type veth peer name eth0 netns ${this.#space(host)}`,
      ),
    )
    this.#inside(`${own}-switch`, [
      'link add br0 type bridge',
      'link set br0 up',
      ...['up0', ...this.#hosts.map((_, index) => `h${index}`)].map(
        (port) => `link set ${port} master br0 up`,
      ),
    ])
    for (const host of this.#hosts) {
      this.#inside(this.#space(host), [
        'link set lo up',
        `addr add ${this.address(host)}/24 dev eth0`,
        'link set eth0 up',
      ])
    }
  }

  address(host: string): string {
    const index = this.#hosts.indexOf(host)
    return `${this.#subnet}.${index === -1 ? 254 : index + 1}`
  }

  start(
    host: string,
    [file, ...args]: readonly [string, ...string[]],
    options: SpawnOptions = {},
  ): ChildProcess {
    // `ip` becomes the process: its pid is the one to signal.
    const child = spawn('ip', ['netns', 'exec', this.#space(host), file, ...args], options)
    this.#running.add(child)
    child.once('exit', () => this.#running.delete(child))
    return child
  }

  cut(one: string, other: string): void {
    this.#lead(one, other, `replace ADDRESS lladdr ${NOWHERE} dev eth0 nud permanent`)
  }

  mend(one: string, other: string): void {
    this.#lead(one, other, 'del ADDRESS dev eth0')
  }

  async down(): Promise<void> {
    const left = [...this.#running]
    for (const child of left) child.kill('SIGKILL')
    await Promise.all(
      left.map((child) => (child.exitCode ?? child.signalCode) === null && once(child, 'exit')),
    )
    this.removeAtOnce()
    process.off('exit', this.removeAtOnce)
    process.off('SIGTERM', endAtOnce)
  }

  /** With the namespace its links go, and with the switch the machine's end of its cable. */
  readonly removeAtOnce = (): void => {
    for (const child of this.#running) child.kill('SIGKILL')
    for (const name of [...this.#hosts.map((host) => this.#space(host)), `${this.#prefix}-switch`]) {
      spawnSync('ip', ['netns', 'del', name])
    }
  }

  #lead(one: string, other: string, change: string): void {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      this.#inside(this.#space(from), [`neigh ${change.replace('ADDRESS', this.address(to))}`])
    }
  }

  #space(host: string): string {
    return `${this.#prefix}-${host}`
  }

  #ip(...commands: readonly string[]): void {
    // `netns` is not among what a batch may hold.
    for (const command of commands) run(command.split(' '))
  }

  #inside(space: string, commands: readonly string[]): void {
    run(['-n', space, '-batch', '-'], `${commands.join('\n')}\n`)
  }
}

function run(args: readonly string[], input?: string): void {
  const { status, stderr } = spawnSync('ip', args, input === undefined ? {} : { input })
  if (status !== 0) throw new Error(`ip ${args.join(' ')} ${input ?? ''}: ${String(stderr).trim()}`)
}
