import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const MICROS: Readonly<Record<string, number>> = { us: 1, ms: 1_000, s: 1_000_000, m: 60_000_000 }
const BYTES: Readonly<Record<string, number>> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 }

export interface LoadOptions {
  readonly url: string
  readonly core: number
  readonly connections: number
  readonly seconds: number
  readonly headers: Readonly<Record<string, string>>
  /** A Lua file that says what is sent, where that is not a GET. */
  readonly script?: string
}

export interface LoadResult {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly p50Micros: number
  readonly p99Micros: number
  /** All that the answers brought, heads included, and those under way at the end. */
  readonly bytesRead: number
}

/** Runs wrk, one thread on one core. Rejects when an answer was not 2xx or 3xx, or a connection broke: such a run measures nothing. */
export async function runLoad({
  url,
  core,
  connections,
  seconds,
  headers,
  script,
}: LoadOptions): Promise<LoadResult> {
  const lines = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const { stdout } = await promisify(execFile)('taskset', [
    ...['-c', String(core), 'wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--latency', ...lines],
    ...(script === undefined ? [] : ['-s', script]),
    url,
  ])
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`the load met errors:\n${stdout}`)
  return {
    requests: Number(find(stdout, /(\d+) requests in/)[1]),
    requestsPerSecond: Number(find(stdout, /Requests\/sec:\s+([\d.]+)/)[1]),
    p50Micros: latency(stdout, 50),
    p99Micros: latency(stdout, 99),
    bytesRead: bytesRead(stdout),
  }
}

function bytesRead(output: string): number {
  const [, value, unit] = find(output, /, ([\d.]+)(B|KB|MB|GB) read/)
  return Number(value) * BYTES[unit!]!
}

function latency(output: string, percent: number): number {
  const [, value, unit] = find(output, new RegExp(`^\\s*${percent}%\\s+([\\d.]+)(us|ms|s|m)$`, 'm'))
  return Number(value) * MICROS[unit!]!
}

function find(output: string, pattern: RegExp): RegExpExecArray {
  const match = pattern.exec(output)
  if (!match) throw new Error(`wrk printed nothing like ${pattern}:\n${output}`)
  return match
}
