import { spawnSync } from 'node:child_process'
import { accessSync, chmodSync, constants, mkdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** A server that tests start. */
export interface ServerBinary {
  /** Name of its executable. */
  readonly command: string
  /** Debian's package that holds it. */
  readonly aptPackage: string
  /** The image its executable is taken out of when only Docker can provide it, and where it lies there. */
  readonly image: string
  readonly pathInImage: string
  /** For a person who has to install it. */
  readonly version: string
}

export const ETCD: ServerBinary = {
  command: 'etcd',
  aptPackage: 'etcd-server',
  image: 'quay.io/coreos/etcd:v3.5.21',
  pathInImage: '/usr/local/bin/etcd',
  version: 'etcd 3.4 or later',
}

/** Serves as a sentinel too. */
export const REDIS: ServerBinary = {
  command: 'redis-server',
  aptPackage: 'redis-server',
  image: 'docker.io/library/redis:7.2-bookworm',
  pathInImage: '/usr/local/bin/redis-server',
  version: 'redis 6 or later',
}

/** Something that some tests need; where there is none they are skipped. */
export type Tool = Pick<ServerBinary, 'command' | 'aptPackage'>

/** For the cluster in network namespaces (test/cluster), and for backups of etcd. */
export const TOOLS: readonly Tool[] = [
  { command: 'ip', aptPackage: 'iproute2' },
  { command: 'haproxy', aptPackage: 'haproxy' },
  { command: 'etcdctl', aptPackage: 'etcd-client' },
]

/** What looking for a server needs of the machine; a test hands in its own. */
export interface Machine {
  readonly platform: string
  readonly isRoot: boolean
  readonly path: string
  /** Where a binary taken out of an image is kept. */
  readonly cacheFolder: string
  /** Runs a command to its end with its output shown; true when it exited with 0. */
  run(command: string, ...args: string[]): boolean
  say(line: string): void
}

export class ServerUnavailableError extends Error {
  override readonly name = 'ServerUnavailableError'
}

/**
 * The path of a server the tests can start: one on the PATH, else Debian's, installed through apt when this is root, else the
 * binary inside the server's image, copied out through Docker, because tests kill the process they started and a container
 * would outlive that. Throws {@link ServerUnavailableError} with a sentence for a person when there is none.
 */
export function provideServer(server: ServerBinary, machine: Machine): string {
  const { command, aptPackage, version } = server
  const found = onPath(machine, command) ?? fromApt(server, machine) ?? fromDocker(server, machine)
  if (found !== undefined) return found
  throw new ServerUnavailableError(
    `The tests need ${command}: none is on the PATH, apt-get could not install ${aptPackage} (that takes root on Debian or ` +
      `Ubuntu) and Docker could not provide one; install ${version} and run npm test again.`,
  )
}

/** Sees to it that a tool is on the PATH: as root on Debian it is installed. False when it is not there; the tests say what follows. */
export function provideTool(tool: Tool, machine: Machine): boolean {
  return (onPath(machine, tool.command) ?? fromApt(tool, machine)) !== undefined
}

/** This machine, with the output of what it runs going to standard output and error. */
export function thisMachine(cacheFolder: string): Machine {
  return {
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    path: process.env['PATH'] ?? '',
    cacheFolder,
    run: (command, ...args) => spawnSync(command, args, { stdio: 'inherit', env: quietApt() }).status === 0,
    say: (line) => console.log(line),
  }
}

function quietApt(): NodeJS.ProcessEnv {
  return { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
}

function onPath(machine: Machine, name: string): string | undefined {
  return machine.path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    // Absent or not ours to run: either way it is not the one.
    return false
  }
}

function fromApt({ command, aptPackage }: Tool, machine: Machine): string | undefined {
  if (!machine.isRoot || onPath(machine, 'apt-get') === undefined) return undefined
  machine.say(`No ${command} on the PATH: installing Debian’s ${aptPackage} with apt-get.`)
  const isInstalled =
    machine.run('apt-get', 'update', '-qq') &&
    machine.run('apt-get', 'install', '-y', '-qq', '--no-install-recommends', aptPackage)
  return isInstalled ? onPath(machine, command) : undefined
}

function fromDocker({ command, image, pathInImage }: ServerBinary, machine: Machine): string | undefined {
  // The image holds a Linux binary; elsewhere it would not start.
  if (machine.platform !== 'linux' || onPath(machine, 'docker') === undefined) return undefined
  const binary = join(machine.cacheFolder, command)
  if (isExecutable(binary)) return binary
  machine.say(`No ${command} on the PATH: taking the binary out of ${image} with Docker.`)
  mkdirSync(machine.cacheFolder, { recursive: true })
  const container = `gatewright-test-${command}-${process.pid}`
  try {
    const isCopied =
      machine.run('docker', 'create', '--name', container, image) &&
      machine.run('docker', 'cp', `${container}:${pathInImage}`, binary)
    if (!isCopied) return undefined
    chmodSync(binary, 0o755)
    return binary
  } finally {
    machine.run('docker', 'rm', '-f', container)
  }
}
