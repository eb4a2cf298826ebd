import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

/** Linux counts a process's CPU time in these; the kernel's user-visible rate is 100 Hz on every architecture Node runs on. */
const MICROS_PER_TICK = 10_000
const START_DEADLINE_MS = 20_000
const STOP_DEADLINE_MS = 5_000
const POLL_MS = 50
const KEPT_OUTPUT_CHARACTERS = 4_000

export interface PinnedCommand {
  readonly command: string
  readonly args: readonly string[]
  /** The core the process may run on. */
  readonly core: number
  /** Answered with 2xx once the process is ready; a gateway that is still starting says 503. */
  readonly readyUrl: string
  readonly cwd?: string
}

/** A server under measurement, or one the measurement needs. Whoever started it stops it. */
export interface PinnedProcess {
  readonly pid: number
  /** CPU time of the process since its start, all threads, user and kernel. */
  cpuMicros(): number
  residentBytes(): number
  /** Asks it to end, and ends it after five seconds. */
  stop(): Promise<void>
}

/** Starts a command bound to one core and waits until it answers. Rejects with what it printed when it does not. */
export async function startPinned({
  command,
  args,
  core,
  readyUrl,
  cwd,
}: PinnedCommand): Promise<PinnedProcess> {
  // taskset replaces itself with the command, so the pid is the server's own.
  const child = spawn('taskset', ['-c', String(core), command, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd !== undefined && { cwd }),
  })
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  child.once('exit', () => process.off('exit', killAtExit))
  const output = keepOutput(child)
  try {
    await untilReady(child, readyUrl)
  } catch (error) {
    child.kill('SIGKILL')
    throw new Error(`${command} did not start: ${(error as Error).message}\n${output()}`, { cause: error })
  }
  const pid = child.pid!
  return {
    pid,
    cpuMicros: () => cpuMicros(pid),
    residentBytes: () => residentBytes(pid),
    stop: () => stop(child),
  }
}

/** A port of 127.0.0.1 that was free a moment ago; for programs that cannot be given port 0. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port of 127.0.0.1 is free')
  return address.port
}

function keepOutput(child: ChildProcess): () => string {
  let text = ''
  const keep = (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-KEPT_OUTPUT_CHARACTERS)
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  return () => text
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  let failure: Error | undefined
  child.once('error', (error) => {
    failure = error
  })
  const deadline = Date.now() + START_DEADLINE_MS
  while (Date.now() < deadline) {
    if (failure) throw failure
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`)
    }
    if (await isReady(url)) return
    await wait(POLL_MS)
  }
  throw new Error(`${url} was not answered with 2xx within ${START_DEADLINE_MS} ms`)
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) })
    await response.arrayBuffer()
    return response.ok
  } catch {
    // Not listening yet: the caller asks again until its deadline.
    return false
  }
}

function cpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The command name, in parentheses, may hold spaces: fields are counted from behind it. utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * MICROS_PER_TICK
}

function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  if (!match) throw new Error(`/proc/${pid}/status has no VmRSS`)
  return Number(match[1]) * 1024
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
  child.kill('SIGTERM')
  await ended
  clearTimeout(force)
}
