import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { DEFAULT_OPTIONS, type EndToEndOptions, run as runEndToEnd } from './end-to-end.ts'
import { run as runOverload } from './overload.ts'
import { run as runRegistry } from './registry.ts'
import { allowedCores } from './servers/tools.ts'
import { run as runSlowReaders } from './slow-readers.ts'
import { run as runTraffic, TRAFFIC_BENCHES, type TrafficOptions } from './traffic.ts'
import { run as runWorkers } from './workers.ts'

/** Benches of single parts, in the order they run; each file exports `run()`, which prints its own lines. */
const PARTS = ['router', 'plugins', 'publish', 'import', 'admin', 'memory', 'mount']
const ALL = [...PARTS, 'end-to-end', ...TRAFFIC_BENCHES, 'slow-readers', 'workers', 'overload', 'registry']
/** They take minutes, and run when they are named. */
const SOAKS = ['swaps']
const USAGE = `npm run bench -- [--only NAME]… [--rounds N] [--seconds N] [--connections N]
  NAME: ${ALL.join(', ')}; only by name: ${SOAKS.join(', ')}`

interface Wanted {
  readonly names: ReadonlySet<string>
  readonly options: EndToEndOptions
  readonly trafficOptions: TrafficOptions
}

function parseFlags(args: string[]) {
  const number = { type: 'string' } as const
  const only = { type: 'string', multiple: true } as const
  try {
    return parseArgs({ args, options: { only, rounds: number, seconds: number, connections: number } }).values
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${USAGE}`, { cause: error })
  }
}

/** What the command line asks for. Throws an error with the usage in it. */
function readCommandLine(args: string[]): Wanted {
  const values = parseFlags(args)
  const names = values.only ?? ALL
  const unknown = names.filter((name) => !ALL.includes(name) && !SOAKS.includes(name))
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(', ')} names no bench\n${USAGE}`)
  const positive = (name: keyof EndToEndOptions) => {
    const text = values[name]
    if (text === undefined) return undefined
    if (/^[1-9]\d{0,4}$/.test(text)) return Number(text)
    throw new Error(`--${name} ${text} is no whole number above 0\n${USAGE}`)
  }
  const trafficOptions = { rounds: positive('rounds'), seconds: positive('seconds') }
  return {
    names: new Set(names),
    options: {
      rounds: trafficOptions.rounds ?? DEFAULT_OPTIONS.rounds,
      seconds: trafficOptions.seconds ?? DEFAULT_OPTIONS.seconds,
      connections: positive('connections') ?? DEFAULT_OPTIONS.connections,
    },
    trafficOptions,
  }
}

/** Binds every thread of this process to one core; without taskset it stays where it is. */
function pinSelf(core: number): void {
  spawnSync('taskset', ['-a', '-c', '-p', String(core), String(process.pid)], { stdio: 'ignore' })
}

/** Benches that measure memory need to collect garbage first; they find `gc` where --expose-gc would have put it. */
function exposeGc(): void {
  setFlagsFromString('--expose-gc')
  globalThis.gc = runInNewContext('gc')
}

async function runParts(names: ReadonlySet<string>): Promise<void> {
  for (const name of PARTS.filter((part) => names.has(part))) {
    const file = new URL(`${name}.ts`, import.meta.url)
    if (!existsSync(file)) continue
    const part: { run(): unknown } = await import(file.href)
    await part.run()
    console.log()
  }
}

/** Each on all the cores there are. */
async function runSoaks(names: ReadonlySet<string>): Promise<void> {
  for (const name of SOAKS.filter((soak) => names.has(soak))) {
    const soak: { run(): Promise<void> } = await import(new URL(`../soak/${name}.ts`, import.meta.url).href)
    await soak.run()
  }
}

function buildProgram(): void {
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' })
  if (status !== 0) throw new Error(`npm run build ended with ${status}`)
}

async function main(): Promise<void> {
  const { names, options, trafficOptions } = readCommandLine(process.argv.slice(2))
  // An ordinary exit ends the servers; a signal alone would leave them behind.
  process.once('SIGINT', () => process.exit(130))
  process.once('SIGTERM', () => process.exit(143))
  await runSoaks(names)
  exposeGc()
  // Read before this process binds itself to one of them.
  const cores = process.platform === 'linux' ? allowedCores() : [0]
  pinSelf(cores[0]!)
  await runParts(names)
  const traffic = TRAFFIC_BENCHES.filter((name) => names.has(name))
  if (ALL.every((name) => PARTS.includes(name) || !names.has(name))) return
  buildProgram()
  // Out of the way of the servers that are measured.
  pinSelf(cores.at(-1)!)
  if (names.has('end-to-end')) await runEndToEnd(options, cores)
  if (traffic.length > 0) await runTraffic(traffic, trafficOptions, cores)
  if (names.has('slow-readers')) await runSlowReaders(cores)
  if (names.has('workers')) await runWorkers(cores)
  if (names.has('overload')) await runOverload(cores)
  if (names.has('registry')) await runRegistry(cores)
}

await main().catch((error: unknown) => {
  if (!(error instanceof Error)) throw error
  console.error(error.message)
  // What fetch throws says "fetch failed"; why is in its cause.
  if (error.cause instanceof Error && !error.message.includes(error.cause.message))
    console.error(error.cause.message)
  process.exitCode = 1
})
