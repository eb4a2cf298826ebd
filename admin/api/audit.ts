import { withoutQuotedValues } from '../../src/model/quoted-values.ts'
import type { Answer } from './answer.ts'
import { resourceNameOf } from './scope.ts'
import type { Visit } from './visit.ts'

/** Where audit entries go; must not throw. */
export interface AuditSink {
  write(entry: AuditEntry): void
}

/** One write, or one refused attempt to get in. No entry holds a key, a body or a value of configuration. */
export interface AuditEntry {
  readonly event: 'write' | 'refused'
  /** Name of the key; absent when none was recognised. */
  readonly actor?: string
  readonly role?: string
  readonly clientAddress: string
  readonly userAgent?: string
  readonly method: string
  /** `routes`, `credentials`, … as the path says. */
  readonly resource?: string
  readonly id?: string
  readonly subPath?: string
  readonly isDryRun?: true
  /** A DELETE that skipped the check of what uses it. */
  readonly isForced?: true
  /** 0 when the resource did not exist. */
  readonly revisionBefore?: number
  readonly revisionAfter?: number
  readonly status: number
  readonly error?: string
  readonly durationMs: number
  /** Refused attempts since the entry before that were not written. */
  readonly suppressed?: number
}

const MAX_TEXT = 512
const REFUSED_WINDOW_MS = 10_000
const MAX_REFUSED = 10

/** Writes an entry for each answer that the audit log is about; attempts to get in are limited, so that they cannot fill a disk. */
export class Audit {
  readonly #sink: AuditSink
  readonly #clock: { now(): number }
  #windowStartMs = 0
  #refused = 0
  #suppressed = 0

  constructor(sink: AuditSink, clock: { now(): number }) {
    this.#sink = sink
    this.#clock = clock
  }

  /** To be told of every answer, once. */
  record(visit: Visit, answer: Answer): void {
    const isRefused = visit.caller === undefined && [401, 403, 429].includes(answer.status)
    if (isRefused) this.#recordRefused(visit, answer)
    else if (visit.caller !== undefined && isWrite(visit)) this.#sink.write(entryOf('write', visit, answer))
  }

  #recordRefused(visit: Visit, answer: Answer): void {
    const now = this.#clock.now()
    if (Math.abs(now - this.#windowStartMs) >= REFUSED_WINDOW_MS) {
      this.#windowStartMs = now
      this.#refused = 0
    }
    if (++this.#refused > MAX_REFUSED) {
      this.#suppressed++
      return
    }
    const suppressed = this.#suppressed
    this.#suppressed = 0
    this.#sink.write({ ...entryOf('refused', visit, answer), ...(suppressed > 0 && { suppressed }) })
  }
}

function isWrite({ method, touches }: Visit): boolean {
  return method !== 'GET' && method !== 'HEAD' && touches !== 'nothing'
}

function entryOf(event: AuditEntry['event'], visit: Visit, answer: Answer): AuditEntry {
  const { caller, userAgent } = visit
  const { written, status } = answer
  const error = status >= 400 ? describe(answer) : undefined
  return {
    event,
    ...(caller && { actor: caller.name, role: caller.role }),
    clientAddress: visit.clientAddress,
    ...(userAgent !== undefined && { userAgent: shorten(userAgent) }),
    method: visit.method,
    ...placeOf(visit.segments ?? [], written?.id),
    ...(visit.isDryRun && { isDryRun: true as const }),
    ...(visit.isForced && { isForced: true as const }),
    ...(written && { revisionBefore: written.before }),
    ...(written && !visit.isDryRun && { revisionAfter: written.after }),
    status,
    ...(error !== undefined && { error }),
    durationMs: Math.round((performance.now() - visit.startedAtMs) * 1000) / 1000,
  }
}

/** How many segments of a path an id has, where it is more than one. */
const ID_SEGMENTS: Readonly<Record<string, number>> = { credentials: 3, secrets: 2 }

function placeOf(
  segments: readonly string[],
  writtenId: string | undefined,
): Pick<AuditEntry, 'resource' | 'id' | 'subPath'> {
  const resource = resourceNameOf(segments)
  const path = segments.slice(1).join('/')
  const id = writtenId || segments.slice(1, 1 + (ID_SEGMENTS[resource] ?? 1)).join('/')
  const subPath = path.startsWith(`${id}/`) ? path.slice(id.length + 1) : ''
  return {
    ...(resource && { resource: shorten(resource) }),
    ...(id && { id: shorten(id) }),
    ...(subPath && { subPath: shorten(subPath) }),
  }
}

/** The message for the client without what it quotes of the document. */
function describe({ json, text }: Answer): string | undefined {
  const { error_msg, description, message } = (json ?? {}) as Record<string, unknown>
  const found = description ?? error_msg ?? message ?? text
  if (typeof found !== 'string') return undefined
  return shorten(withoutQuotedValues(found))
}

function shorten(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text
}
