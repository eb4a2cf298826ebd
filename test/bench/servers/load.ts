import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const MICROS: Readonly<Record<string, number>> = { us: 1, ms: 1_000, s: 1_000_000, m: 60_000_000 }

export interface LoadOptions {
  readonly port: number
  readonly core: number
  readonly connections: number
  readonly seconds: number
  readonly headers: Readonly<Record<string, string>>
}

export interface LoadResult {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly p50Micros: number
  readonly p99Micros: number
}

/** Runs wrk, one thread on one core. Rejects when an answer was not 2xx or 3xx, or a connection broke: such a run measures nothing. */
export async function runLoad({
  port,
  core,
  connections,
  seconds,
  headers,
}: LoadOptions): Promise<LoadResult> {
  const lines = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const { stdout } = await promisify(execFile)('taskset', [
    ...['-c', String(core), 'wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--latency', ...lines],
    `http://127.0.0.1:${port}/api/orders/4711?fields=id,total`,
  ])
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`the load met errors:\n${stdout}`)
  return {
    requests: Number(find(stdout, /(\d+) requests in/)[1]),
    requestsPerSecond: Number(find(stdout, /Requests\/sec:\s+([\d.]+)/)[1]),
    p50Micros: latency(stdout, 50),
    p99Micros: latency(stdout, 99),
  }
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
