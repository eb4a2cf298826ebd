import type { Reply } from '../../src/plugin/api.ts'
import { isHopByHop } from '../_shared/headers/hop-by-hop.ts'
import { isHeaderName, toHeaderValue } from '../_shared/headers/value.ts'

/** What a policy has decided. */
export interface Decision {
  readonly isAllowed: boolean
  /** Lower-case names; values fit to be sent. */
  readonly headers: Readonly<Record<string, readonly string[]>>
  /** The answer to a client that is not let in. */
  readonly refusal: Reply
}

const DEFAULT_STATUS = 403

/** Reads the agent's answer; throws an Error that says what is wrong with it and quotes nothing of it. */
export function readDecision(body: Buffer): Decision {
  const { result } = (parse(body) ?? {}) as { result?: unknown }
  if (typeof result !== 'object' || result === null || Array.isArray(result)) {
    throw new Error('its answer has no `result` that is an object; let the policy give one with `allow`')
  }
  const { allow, headers, status_code, reason } = result as Record<string, unknown>
  const lines = headerLines(headers)
  return { isAllowed: allow === true, headers: lines, refusal: refusalOf({ status_code, reason, lines }) }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    // The parser's own words would quote the answer, which may hold what only the upstream may see.
    throw new Error('its answer is not JSON')
  }
}

interface RefusalParts {
  readonly status_code: unknown
  readonly reason: unknown
  readonly lines: Decision['headers']
}

function refusalOf({ status_code, reason, lines }: RefusalParts): Reply {
  const status = statusOf(status_code)
  if (reason === undefined || reason === null) return { status, headers: lines }
  if (typeof reason !== 'object') return { status, headers: lines, body: String(reason) }
  const headers = { 'content-type': 'application/json', ...lines }
  return { status, headers, body: JSON.stringify(reason) }
}

function statusOf(value: unknown): number {
  const status = Number(value)
  return Number.isInteger(status) && status >= 200 && status <= 599 ? status : DEFAULT_STATUS
}

/** Of what a policy gives as headers, what can be sent. */
function headerLines(headers: unknown): Record<string, string[]> {
  const lines: Record<string, string[]> = Object.create(null)
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (!isHeaderName(name) || isHopByHop(name)) continue
    const values = (Array.isArray(value) ? value : [value]).filter(isScalar)
    if (values.length > 0) lines[name.toLowerCase()] = values.map((one) => toHeaderValue(String(one)))
  }
  return lines
}

function isScalar(value: unknown): boolean {
  return ['string', 'number', 'boolean'].includes(typeof value)
}
