import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { DoorPorts } from './bench-server.ts'
import { runLoad } from './load.ts'
import { SINK_PATH } from './nginx-doors.ts'

/** Sends it for so long at this server. */
export interface LoadPlace {
  readonly ports: DoorPorts
  readonly core: number
  readonly seconds: number
  /** For what the load needs to have in a file. */
  readonly folder: string
}

/** What one load brought about; bodies only, both directions. */
export interface Traffic {
  readonly requests: number
  readonly bytes: number
  readonly seconds: number
}

/** One kind of traffic that can be sent to any server. */
export type SendTraffic = (place: LoadPlace) => Promise<Traffic>

/** GET of a body of so many bytes over HTTP/1.1. */
export function gets(
  size: number,
  { connections, isTls = false, isClosing = false }: Http1Options,
): SendTraffic {
  return async ({ ports, core, seconds }) => {
    const result = await runLoad({
      url: isTls ? `https://localhost:${ports.tls}/${size}` : `http://127.0.0.1:${ports.plain}/${size}`,
      headers: isClosing ? { ...HEADERS, Connection: 'close' } : HEADERS,
      ...{ core, seconds, connections },
    })
    return large(size) ? { ...result, ...countedByBytes(result, size) } : counted(result, size)
  }
}

export interface Http1Options {
  readonly connections: number
  readonly isTls?: boolean
  /** A connection for every request. */
  readonly isClosing?: boolean
}

/** POST of a body of so many bytes over HTTP/1.1 to an origin that reads all of it. */
export function posts(size: number, connections: number): SendTraffic {
  return async ({ ports, core, seconds, folder }) => {
    const script = join(folder, `post-${size}.lua`)
    await writeFile(script, `wrk.method = "POST"\nwrk.body = string.rep("x", ${size})\n`)
    const url = `http://127.0.0.1:${ports.plain}${SINK_PATH}`
    return counted(await runLoad({ url, script, headers: HEADERS, core, seconds, connections }), size)
  }
}

export interface Http2Options {
  readonly connections: number
  /** Requests under way on each connection. */
  readonly streams: number
  readonly isTls: boolean
}

/** GET of a body of so many bytes over HTTP/2. */
export function http2Gets(size: number, { connections, streams, isTls }: Http2Options): SendTraffic {
  return async ({ ports, core, seconds }) => {
    const url = isTls ? `https://localhost:${ports.tls}/${size}` : `http://127.0.0.1:${ports.http2}/${size}`
    const { stdout } = await promisify(execFile)('taskset', [
      ...['-c', String(core), 'h2load', '-t1', `-c${connections}`, `-m${streams}`, `-D${seconds}`],
      // Windows of 16 MiB: what is measured is the server, not how often it is let on.
      ...['-w24', '-W24', '-H', `user-agent: ${HEADERS['User-Agent']}`, url],
    ])
    const [, done, failed] = find(stdout, /requests: .* (\d+) done, .* (\d+) failed/)
    if (Number(failed) > 0 || !stdout.includes(' 0 4xx, 0 5xx')) {
      throw new Error(`the load met errors:\n${stdout}`)
    }
    const bytes = Number(find(stdout, /\((\d+)\) data/)[1])
    return { requests: large(size) ? bytes / size : Number(done), bytes, seconds }
  }
}

/** Full TLS handshakes, each with one GET of so many bytes behind it, by clients that never resume a session. */
export function handshakes(size: number, clients: number): SendTraffic {
  return async ({ ports, core, seconds }) => {
    const one = async () => {
      const { stdout } = await promisify(execFile)('taskset', [
        ...['-c', String(core), 'openssl', 's_time', '-new', '-time', String(seconds)],
        ...['-connect', `localhost:${ports.tls}`, '-www', `/${size}`],
      ])
      return Number(find(stdout, /(\d+) connections in [\d.]+ real seconds/)[1])
    }
    const counts = await Promise.all(Array.from({ length: clients }, one))
    const requests = counts.reduce((sum, count) => sum + count, 0)
    return { requests, bytes: requests * size, seconds }
  }
}

/** What an ordinary client sends beside Host. */
const HEADERS = { 'User-Agent': 'bench', Accept: '*/*' }

/** Above this, the requests that are under way when the load stops weigh more than the noise. */
function large(size: number): boolean {
  return size > 1_000_000
}

interface Counted {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly bytesRead: number
}

function counted({ requests, requestsPerSecond }: Counted, size: number): Traffic {
  return { requests, bytes: requests * size, seconds: requests / requestsPerSecond }
}

function countedByBytes({ requests, requestsPerSecond, bytesRead }: Counted, size: number): Traffic {
  return { requests: bytesRead / size, bytes: bytesRead, seconds: requests / requestsPerSecond }
}

function find(output: string, pattern: RegExp): RegExpExecArray {
  const match = pattern.exec(output)
  if (!match) throw new Error(`the load printed nothing like ${pattern}:\n${output}`)
  return match
}
