import type { IncomingHttpHeaders } from 'node:http'
import { refuse } from './answer.ts'
import { type Precondition, readPrecondition } from './precondition.ts'

/** What a client may ask of any write, beside the write itself. */
export interface WriteOptions {
  /** Check everything and answer as if it were done, but store nothing. */
  readonly isDryRun: boolean
  /** Answer when the local data plane serves the change, or all of the cluster, or after this time. */
  readonly wait: { readonly for: 'applied' | 'cluster'; readonly timeoutMs: number } | undefined
  readonly precondition: Precondition | undefined
}

const NO_OPTIONS: WriteOptions = { isDryRun: false, wait: undefined, precondition: undefined }

const DEFAULT_TIMEOUT_MS = 5000
const MAX_TIMEOUT_MS = 60_000
const TIMEOUT = /^(\d{1,6}(?:\.\d{1,3})?)(ms|s)?$/

/** Reads `dry_run`, `wait`, `timeout` and the conditional headers; a read has none of them. Throws a 400 that names the value. */
export function readWriteOptions(
  method: string,
  query: URLSearchParams,
  headers: IncomingHttpHeaders,
): WriteOptions {
  if (method === 'GET' || method === 'HEAD') return NO_OPTIONS
  return { isDryRun: readDryRun(query), wait: readWait(query), precondition: readPrecondition(headers) }
}

function readDryRun(query: URLSearchParams): boolean {
  const text = query.get('dry_run')
  if (text === null || text === 'false') return false
  if (text === 'true') return true
  throw refuse(400, `invalid argument dry_run: ${JSON.stringify(text)} is neither true nor false`)
}

function readWait(query: URLSearchParams): WriteOptions['wait'] {
  const wait = query.get('wait')
  if (wait === null) return undefined
  if (wait !== 'applied' && wait !== 'cluster') {
    throw refuse(
      400,
      `invalid argument wait: ${JSON.stringify(wait)} is not supported; use applied or cluster`,
    )
  }
  const timeout = query.get('timeout')
  return { for: wait, timeoutMs: timeout === null ? DEFAULT_TIMEOUT_MS : readTimeout(timeout) }
}

function readTimeout(text: string): number {
  const [, number, unit = 's'] = TIMEOUT.exec(text) ?? []
  const timeoutMs = number === undefined ? Number.NaN : Number(number) * (unit === 's' ? 1000 : 1)
  if (timeoutMs >= 1 && timeoutMs <= MAX_TIMEOUT_MS) return timeoutMs
  throw refuse(
    400,
    `invalid argument timeout: ${JSON.stringify(text)} is no time such as 5s or 500ms, at most ${MAX_TIMEOUT_MS / 1000}s`,
  )
}
