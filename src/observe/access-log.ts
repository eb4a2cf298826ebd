import { showPlace } from '../lib/socket-path.ts'
import { LineWriter } from './line-writer.ts'
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

/** What is written at once, in characters: lines are ASCII. */
const CHUNK = 8192

/** What a pipe takes from one process before it takes anything from another. */
const PIPE_CHUNK = 4096

export interface AccessLogOptions {
  /** Other processes write there, too. */
  readonly isShared?: boolean
  /** Called with the number of lines that are lost. */
  onDropped?(lines: number): void
}

/**
 * Opens the access log: `stdout`, `off`, or the path of a file, which may be moved away or removed at any time. What cannot be
 * written waits, up to 8 MiB, and is tried again every second; the process goes on whatever happens to the file.
 */
export function createAccessLog(
  target: string,
  logger: Logger,
  { isShared = false, onDropped = () => {} }: AccessLogOptions = {},
): AccessLog | undefined {
  if (target === 'off') return undefined
  const lines = new LineWriter(target, {
    maxChunk: isShared ? PIPE_CHUNK : CHUNK,
    onFailure: (error) =>
      logger.error({ target, err: error }, 'the access log cannot be written; tried again every second'),
    onRecovery: () => logger.info({ target }, 'the access log is written again'),
    onDropped,
  })
  return {
    write: (request) => lines.write(`${accessLine(request, new Date())}\n`),
    close: () => lines.close(),
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
