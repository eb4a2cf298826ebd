import { spawnSync } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Debian's package for each command of the bench; nginx-light lacks nothing that is used here. */
const PACKAGES: Readonly<Record<string, string>> = {
  nginx: 'nginx-light',
  haproxy: 'haproxy',
  wrk: 'wrk',
  taskset: 'util-linux',
  h2load: 'nghttp2-client',
}
/** Debian keeps servers where an ordinary user's PATH does not look. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin']

/** The commands that are still missing after apt was asked for them, which takes root and a system that has apt. */
export function installMissing(commands: readonly string[]): string[] {
  process.env['PATH'] = [process.env['PATH'] ?? '', ...SYSTEM_FOLDERS].join(delimiter)
  const missing = commands.filter((command) => !isOnPath(command))
  if (missing.length === 0 || process.getuid?.() !== 0 || !isOnPath('apt-get')) return missing
  console.log(`Installing ${missing.join(', ')} with apt-get.`)
  apt('update', '-qq')
  // One at a time: a package this release does not have must not keep the others away.
  for (const command of missing) {
    apt('install', '-y', '-qq', '--no-install-recommends', PACKAGES[command] ?? command)
  }
  return missing.filter((command) => !isOnPath(command))
}

/** The version a command prints when asked, wherever it prints it; `undefined` when it cannot be run. */
export function versionOf(command: string, flag: string): string | undefined {
  const { stdout, stderr, error } = spawnSync(command, [flag], { encoding: 'utf8' })
  return error ? undefined : /\d+\.\d+[\w.+-]*/.exec(`${stdout}${stderr}`)?.[0]
}

/** Cores this process may use, ascending. */
export function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

function apt(...args: string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { status } = spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env })
  if (status !== 0) console.log(`apt-get ${args.join(' ')} ended with ${status}`)
}

function isOnPath(command: string): boolean {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .some((folder) => folder !== '' && isExecutable(join(folder, command)))
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
