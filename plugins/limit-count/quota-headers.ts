import { type RequestContext, requestSlot } from '../../src/plugin/api.ts'
import { type Quota, secondsText } from '../_shared/limit/quota.ts'

type Metadata = Readonly<Record<string, unknown>>

interface Names {
  readonly limit: string
  readonly remaining: string
  readonly reset: string
}

/** Keeps a quota for the response. */
export type NoteQuota = (context: RequestContext, quota: Quota, limit: number) => void

/** Flat `[name, value, …]`; several configurations of the plugin may add to it, a later one wins for a name of both. */
const lines = requestSlot<string[]>('limit-count')

/** Sets what {@link NoteQuota} has kept; also on answers of the gateway itself (contract §7.8). */
export function setQuotaHeaders(context: RequestContext): void {
  const noted = context.get(lines)
  if (!noted) return
  const { headers } = context.response
  for (let i = 0; i < noted.length; i += 2) headers.set(noted[i]!, noted[i + 1]!)
}

/** `prefix` goes before `RateLimit-`: `X-1-RateLimit-Limit` (contract §7.3). */
export function compileNote(metadata: () => Metadata, prefix: string | undefined): NoteQuota {
  let current: Metadata | undefined
  let names: Names
  return (context, quota, limit) => {
    const now = metadata()
    if (now !== current) {
      current = now
      names = namesOf(now, prefix)
    }
    const noted = context.get(lines) ?? []
    noted.push(names.limit, String(limit), names.remaining, String(quota.remaining))
    noted.push(names.reset, secondsText(quota.resetMs))
    context.set(lines, noted)
  }
}

function namesOf(metadata: Metadata, prefix: string | undefined): Names {
  const name = (field: string, fallback: string) =>
    withPrefix(typeof metadata[field] === 'string' ? metadata[field] : fallback, prefix)
  return {
    limit: name('limit_header', 'X-RateLimit-Limit'),
    remaining: name('remaining_header', 'X-RateLimit-Remaining'),
    reset: name('reset_header', 'X-RateLimit-Reset'),
  }
}

function withPrefix(name: string, prefix: string | undefined): string {
  if (prefix === undefined) return name
  const at = name.search(/RateLimit-/i)
  return at === -1 ? `${prefix}-${name}` : `${name.slice(0, at)}${prefix}-${name.slice(at)}`
}
