import { pino } from 'pino'
import { showPlace } from '../lib/socket-path.ts'
import type { Logger } from './logger.ts'

/** What a line of the access log says of a request; a request context is one. */
export interface LoggedRequest {
  readonly remoteAddr: string
  readonly method: string
  readonly rawTarget: string
  readonly httpVersion: string
  readonly rawHost: string
  readonly upstreamScheme: string | undefined
  readonly sentHost: string | undefined
  readonly headers: { get(name: string): string | undefined }
  readonly upstream: { readonly target: string }
  readonly node: { readonly host: string; readonly port: number } | undefined
  readonly upstreamStatuses: string | undefined
  readonly response: { readonly status: number }
  readonly stats: {
    readonly responseBodyBytes: number
    readonly totalMs: number
    readonly upstreamMs: number | undefined
  }
}

export interface AccessLog {
  write(request: LoggedRequest): void
  /** Writes what is buffered. */
  close(): Promise<void>
}

const BUFFER_BYTES = 8192
const FLUSH_MS = 1000

/** What a pipe takes from one process before it takes anything from another. */
const PIPE_BYTES = 4096

/** Opens the access log: `stdout`, `off`, or the path of a file. `isShared`: other processes write there, too. */
export function createAccessLog(target: string, logger: Logger, isShared = false): AccessLog | undefined {
  if (target === 'off') return undefined
  const destination = pino.destination({
    dest: target === 'stdout' ? 1 : target,
    sync: false,
    // Must be below what is written at once.
    minLength: isShared ? PIPE_BYTES - 1 : BUFFER_BYTES,
    // Lines of several processes must not end up within each other.
    ...(isShared && { maxWrite: PIPE_BYTES }),
    mkdir: target !== 'stdout',
  })
  // Lost lines must not end the process (a full disk, a closed pipe); they are told once per failure.
  destination.on('error', (error) => logger.error({ err: error }, 'the access log cannot be written'))
  const flusher = setInterval(() => destination.flush(), FLUSH_MS).unref()
  return {
    write: (request) => void destination.write(`${accessLine(request, new Date())}\n`),
    close: async () => {
      clearInterval(flusher)
      const flush = () => new Promise<void>((resolve) => destination.flush(() => resolve()))
      // One ends with the write that is under way, and leaves what came meanwhile to the next.
      await flush()
      await flush()
    },
  }
}

/** One line in the format that APISIX's default configuration writes. */
export function accessLine(request: LoggedRequest, at: Date): string {
  const { stats, headers, node } = request
  const upstream = node
    ? `${showPlace(node)} ${request.upstreamStatuses ?? '-'} ${seconds(stats.upstreamMs)}`
    : '- - -'
  const url = request.upstreamScheme
    ? `${request.upstreamScheme}://${request.sentHost}${request.upstream.target}`
    : '-'
  return (
    `${request.remoteAddr} - - [${at.toISOString()}] ${quotable(request.rawHost)} ` +
    `"${request.method} ${quotable(request.rawTarget)} HTTP/${request.httpVersion}" ${request.response.status} ` +
    `${stats.responseBodyBytes} ${seconds(stats.totalMs)} "${quotable(headers.get('referer') ?? '-')}" ` +
    `"${quotable(headers.get('user-agent') ?? '-')}" ${upstream} "${quotable(url)}"`
  )
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? '-' : (ms / 1000).toFixed(3)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that must not pass
const UNSAFE = /["\\\x00-\x1f\x7f-\uffff]/g

/** What a client sent cannot end its field or its line. */
function quotable(text: string): string {
  return text.replace(
    UNSAFE,
    (char) => `\\x${(char.charCodeAt(0) & 0xff).toString(16).padStart(2, '0').toUpperCase()}`,
  )
}
