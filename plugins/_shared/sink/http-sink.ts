import type { HttpCall, HttpClient } from '../../../src/plugin/api.ts'

export interface HttpDelivery extends Omit<HttpCall, 'method' | 'isRepeatable' | 'maxBodyBytes' | 'signal'> {
  /** The batch's: nobody waits for the answer once it is aborted, and the call must not outlive its configuration. */
  readonly signal: AbortSignal
  /** The lowest status that says that the entries were not taken. */
  readonly failsFrom: number
}

/**
 * Posts a batch. Rejects with an Error that names the sink, and nothing of what was sent or answered, when there is no answer or one
 * of a status from `failsFrom` on. A kept connection that turns out to be closed is replaced: entries may then arrive twice, which
 * is better than not at all.
 */
export async function postEntries(http: HttpClient, delivery: HttpDelivery): Promise<void> {
  const { failsFrom, ...call } = delivery
  const { status } = await http.call({ ...call, method: 'POST', isRepeatable: true })
  if (status >= failsFrom) throw new Error(`${new URL(call.url).origin}: answered with status ${status}`)
}
