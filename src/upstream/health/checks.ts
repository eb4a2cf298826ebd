import type { Upstream as UpstreamDocument } from '../../model/types.ts'

export type CheckType = 'http' | 'https' | 'tcp'

/** What a status says, by the status: {@link IGNORED}, {@link GOOD} or {@link BAD}. */
export type StatusVerdicts = Uint8Array

export const IGNORED = 0
export const GOOD = 1
export const BAD = 2

/** Reports in a row that make a node healthy or unhealthy; 0 switches that counter off. */
export interface HealthLimits {
  readonly successes: number
  readonly httpFailures: number
  readonly tcpFailures: number
  readonly timeouts: number
}

/** How nodes are probed. */
export interface ActiveSpec {
  readonly type: CheckType
  /** For the connection, and once more for the answer. */
  readonly timeoutMs: number
  /** Probes at once for this upstream. */
  readonly concurrency: number
  /** The Host that is sent where the upstream does not say one. */
  readonly host: string | undefined
  /** Instead of the node's own. */
  readonly port: number | undefined
  readonly path: string
  readonly verifiesCertificate: boolean
  /** Lines as they are sent. */
  readonly headers: readonly string[]
  /** Between two probes of a node that is used, and of one that is not. */
  readonly healthyIntervalMs: number
  readonly unhealthyIntervalMs: number
  readonly statuses: StatusVerdicts
  readonly limits: HealthLimits
}

/** What attempts of requests say about their nodes. */
export interface PassiveSpec {
  /** Without a `passive` section only attempts that are made again elsewhere count, by the defaults (contract §5.7). */
  readonly isConfigured: boolean
  readonly statuses: StatusVerdicts
  readonly limits: HealthLimits
}

/** `checks` of an upstream with every default applied (contract §5.7, decisions 2). */
export interface CheckSpec {
  readonly active: ActiveSpec
  readonly passive: PassiveSpec
}

interface CheckLists {
  readonly good: readonly number[]
  readonly bad: readonly number[]
}

interface Side {
  interval?: number
  http_statuses?: number[]
  successes?: number
  http_failures?: number
  tcp_failures?: number
  timeouts?: number
}

interface Section {
  type?: CheckType
  timeout?: number
  concurrency?: number
  host?: string
  port?: number
  http_path?: string
  https_verify_certificate?: boolean
  req_headers?: string[]
  healthy?: Side
  unhealthy?: Side
}

const ACTIVE_LISTS: CheckLists = { good: [200, 302], bad: [429, 404, 500, 501, 502, 503, 504, 505] }
const ACTIVE_LIMITS: HealthLimits = { successes: 2, httpFailures: 5, tcpFailures: 2, timeouts: 3 }
const PASSIVE_LISTS: CheckLists = {
  good: [200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308],
  bad: [429, 500, 503],
}
const PASSIVE_LIMITS: HealthLimits = { successes: 5, httpFailures: 5, tcpFailures: 2, timeouts: 7 }

const HIGHEST_STATUS = 599
/** A timer asked for more than this fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Reads `checks` of a checked document; `undefined` when it has none. Throws with the reason when a probe made from it could not
 * be written.
 */
export function readChecks({ checks }: UpstreamDocument): CheckSpec | undefined {
  if (checks === undefined) return undefined
  const { active = {}, passive } = checks as { active?: Section; passive?: Section }
  return { active: readActive(active), passive: readPassive(passive) }
}

function readActive(section: Section): ActiveSpec {
  const { healthy = {}, unhealthy = {} } = section
  return {
    type: section.type ?? 'http',
    timeoutMs: timerMs(section.timeout ?? 1),
    concurrency: Math.max(1, section.concurrency ?? 10),
    host: section.host,
    port: section.port,
    path: writable('http_path', section.http_path ?? '/'),
    verifiesCertificate: section.https_verify_certificate ?? true,
    headers: (section.req_headers ?? []).map((line) => writable('req_headers', line)),
    healthyIntervalMs: timerMs(healthy.interval ?? 1),
    unhealthyIntervalMs: timerMs(unhealthy.interval ?? 1),
    statuses: readStatuses(section, ACTIVE_LISTS),
    limits: readLimits(section, ACTIVE_LIMITS),
  }
}

function readPassive(section: Section | undefined): PassiveSpec {
  return {
    isConfigured: section !== undefined,
    statuses: readStatuses(section ?? {}, PASSIVE_LISTS),
    limits: readLimits(section ?? {}, PASSIVE_LIMITS),
  }
}

function readLimits({ healthy = {}, unhealthy = {} }: Section, fallback: HealthLimits): HealthLimits {
  return {
    successes: healthy.successes ?? fallback.successes,
    httpFailures: unhealthy.http_failures ?? fallback.httpFailures,
    tcpFailures: unhealthy.tcp_failures ?? fallback.tcpFailures,
    timeouts: unhealthy.timeouts ?? fallback.timeouts,
  }
}

/** A status that stands in both lists is good. */
function readStatuses({ healthy = {}, unhealthy = {} }: Section, fallback: CheckLists): StatusVerdicts {
  const verdicts = new Uint8Array(HIGHEST_STATUS + 1)
  for (const status of unhealthy.http_statuses ?? fallback.bad) verdicts[status] = BAD
  for (const status of healthy.http_statuses ?? fallback.good) verdicts[status] = GOOD
  return verdicts
}

function timerMs(seconds: number): number {
  return Math.min(Math.max(1, seconds * 1000), LONGEST_TIMER_MS)
}

function writable(name: string, text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (!/[\x00-\x1f\x7f]/.test(text)) return text
  throw new Error(`checks.active.${name} ${JSON.stringify(text)} has a control character; remove it`)
}
