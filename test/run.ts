/**
 * `npm test`: builds, makes sure that an etcd and a redis server are there (and, where it can, what the tests of a cluster need), runs every
 * `*.test.ts` with Node's own runner. Arguments are parts of paths and choose files: `npm test -- router etcd`. Exits with 1 when a test
 * fails, a file runs no test, or no file is chosen.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { findTests } from './runner/find-tests.ts'
import {
  ETCD,
  provideServer,
  provideTool,
  REDIS,
  ServerUnavailableError,
  TOOLS,
  thisMachine,
} from './runner/server-binary.ts'

const ROOT = resolve(import.meta.dirname, '..')
const FOLDERS = ['src', 'plugins', 'admin', 'test']
const FILE_TIMEOUT_MS = 180_000
/** Behind the deadline that names what held the file; this one also ends a file that never yields. */
const RUNNER_TIMEOUT_MS = FILE_TIMEOUT_MS + 10_000

process.exitCode = main(process.argv.slice(2))

function main(filters: readonly string[]): number {
  const files = findTests(ROOT, FOLDERS, filters)
  if (files.length === 0) return fail(`no test file matches: ${filters.join(' ')}`)
  try {
    const machine = thisMachine(join(ROOT, 'node_modules/.cache/gatewright-servers'))
    const servers = [ETCD, REDIS].map((server) => provideServer(server, machine))
    for (const tool of TOOLS) provideTool(tool, machine)
    if (!build()) return fail('npm run build failed; the tests need what it makes')
    return runTests(files, servers)
  } catch (error) {
    if (error instanceof ServerUnavailableError) return fail(error.message)
    throw error
  }
}

/** What `runner/tally.js` writes. */
interface Tally {
  readonly tests: number
  readonly silent: readonly string[]
}

function fail(message: string): number {
  console.error(message)
  return 1
}

function build(): boolean {
  return spawnSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' }).status === 0
}

function runTests(files: readonly string[], servers: readonly string[]): number {
  const scratch = mkdtempSync(join(tmpdir(), 'gatewright-test-'))
  try {
    const tallyFile = join(scratch, 'tally.json')
    const lateFile = join(scratch, 'late.txt')
    const status = spawnSync(process.execPath, [...runnerArguments(tallyFile), ...files], {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...testEnvironment(servers), GATEWRIGHT_TEST_LATE_FILE: lateFile },
    }).status
    // Once more, where whoever looks for the reason looks.
    if (existsSync(lateFile)) console.error(`\n${readFileSync(lateFile, 'utf8')}`)
    return status === 0 ? judge(JSON.parse(readFileSync(tallyFile, 'utf8')) as Tally) : 1
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function testEnvironment(servers: readonly string[]): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PATH: [...new Set(servers.map((server) => dirname(server))), process.env['PATH'] ?? ''].join(delimiter),
    GATEWRIGHT_TEST_FILE_TIMEOUT_MS: String(FILE_TIMEOUT_MS),
    // `dist` is of these sources: whoever starts many gateways may take it.
    GATEWRIGHT_TEST_IS_BUILT: 'yes',
  }
}

function runnerArguments(tallyFile: string): string[] {
  return [
    '--import=tsx',
    '--import=./test/runner/deadline.js',
    '--test',
    // At least two: files that wait for a process they started leave the core to another.
    `--test-concurrency=${Math.min(8, Math.max(2, availableParallelism()))}`,
    `--test-timeout=${RUNNER_TIMEOUT_MS}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    '--test-reporter=./test/runner/tally.js',
    `--test-reporter-destination=${tallyFile}`,
  ]
}

function judge({ tests, silent }: Tally): number {
  if (tests === 0 || silent.length > 0) return fail(`no test ran in: ${silent.join(', ')}`)
  return 0
}
