import { spawnSync } from 'node:child_process'
import { accessSync, chmodSync, constants, mkdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The image whose static binary is taken when only Docker can provide etcd. */
const IMAGE = 'quay.io/coreos/etcd:v3.5.21'

/** What looking for etcd needs of the machine; a test hands in its own. */
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

export class EtcdUnavailableError extends Error {
  override readonly name = 'EtcdUnavailableError'
}

/**
 * The path of an etcd server the tests can start: one on the PATH, else Debian's, installed through apt when this is root, else
 * the binary inside the etcd image, copied out through Docker, because tests kill the process they started and a container
 * would outlive that. Throws {@link EtcdUnavailableError} with a sentence for a person when there is none.
 */
export function provideEtcd(machine: Machine): string {
  const found = onPath(machine, 'etcd') ?? fromApt(machine) ?? fromDocker(machine)
  if (found !== undefined) return found
  throw new EtcdUnavailableError(
    'The tests need an etcd server: none is on the PATH, apt-get could not install etcd-server (that takes root on Debian or ' +
      'Ubuntu) and Docker could not provide one; install etcd 3.4 or later and run npm test again.',
  )
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

function fromApt(machine: Machine): string | undefined {
  if (!machine.isRoot || onPath(machine, 'apt-get') === undefined) return undefined
  machine.say('No etcd on the PATH: installing Debian’s etcd-server with apt-get.')
  const isInstalled =
    machine.run('apt-get', 'update', '-qq') &&
    machine.run('apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'etcd-server')
  return isInstalled ? onPath(machine, 'etcd') : undefined
}

function fromDocker(machine: Machine): string | undefined {
  // The image holds a Linux binary; elsewhere it would not start.
  if (machine.platform !== 'linux' || onPath(machine, 'docker') === undefined) return undefined
  const binary = join(machine.cacheFolder, 'etcd')
  if (isExecutable(binary)) return binary
  machine.say(`No etcd on the PATH: taking the binary out of ${IMAGE} with Docker.`)
  mkdirSync(machine.cacheFolder, { recursive: true })
  const container = `gatewright-test-etcd-${process.pid}`
  try {
    const isCopied =
      machine.run('docker', 'create', '--name', container, IMAGE) &&
      machine.run('docker', 'cp', `${container}:/usr/local/bin/etcd`, binary)
    if (!isCopied) return undefined
    chmodSync(binary, 0o755)
    return binary
  } finally {
    machine.run('docker', 'rm', '-f', container)
  }
}
