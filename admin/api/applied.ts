import type { Ref } from '../../src/model/kind.ts'
import type { Answer, Written } from './answer.ts'
import type { AdminDeps } from './deps.ts'

/** What the admin API asks of the local data plane for `?wait=applied`. */
export interface AppliedRevisions {
  /** Resolves when a revision of at least this is served; rejects when `signal` aborts or the gateway stops. */
  waitFor(revision: number, signal: AbortSignal): Promise<void>
  /** Newest revision heard of, and the one that requests meet. */
  status(): { readonly observed: number; readonly published: number }
  /** Why the newest stored version of a resource cannot be used; `undefined` when it is. */
  quarantined(ref: Ref): string | undefined
}

interface Waiting {
  readonly answer: Answer
  readonly written: Written
  readonly timeoutMs: number
}

/**
 * The answer once the change is served: as it is with `X-Gatewright-Applied`, 422 when the data plane cannot use what was stored,
 * 202 when the time is up before it is known.
 */
export async function waitUntilApplied(
  { applied }: AdminDeps,
  { answer, written, timeoutMs }: Waiting,
): Promise<Answer> {
  if (applied === undefined) return { ...answer, status: 202 }
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), timeoutMs)
  try {
    await applied.waitFor(written.after, limit.signal)
  } catch {
    // Stored it is, whatever keeps the data plane: the client learns how far that has come.
    const { observed, published } = applied.status()
    const headers = {
      'x-gatewright-observed': String(observed),
      'x-gatewright-published': String(published),
    }
    return { ...answer, status: 202, headers: { ...answer.headers, ...headers } }
  } finally {
    clearTimeout(timer)
  }
  const headers = { ...answer.headers, 'x-gatewright-applied': String(applied.status().published) }
  const reason = applied.quarantined(written)
  if (reason === undefined) return { ...answer, headers }
  const message = `stored at revision ${written.after}, but ${written.kind}/${written.id} cannot be used: ${reason}`
  return { status: 422, json: { error_msg: message }, headers, written }
}
