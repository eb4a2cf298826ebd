import assert from 'node:assert/strict'
import type { ConfigStore, StoreEvent, Watch, WatchEnd } from '../../src/store/config-store.ts'

/** Everything one watch was told, with a way to wait for it. */
export interface Recording {
  readonly events: StoreEvent[]
  /** The revision of each delivery, in order. */
  readonly revisions: number[]
  readonly ends: WatchEnd[]
  readonly watch: Watch
}

/** Watches and records; the test closes the watch or the store. */
export function record(store: ConfigStore, prefix: string, fromRevision: number): Recording {
  const events: StoreEvent[] = []
  const revisions: number[] = []
  const ends: WatchEnd[] = []
  const watch = store.watch(prefix, fromRevision, {
    onEvents(batch, revision) {
      events.push(...batch)
      revisions.push(revision)
    },
    onEnd: (cause) => ends.push(cause),
  })
  return { events, revisions, ends, watch }
}

/** Polls until `condition` holds; fails with `what` when it does not within the deadline. */
export async function eventually(what: string, condition: () => unknown, deadlineMs = 30_000): Promise<void> {
  const end = Date.now() + deadlineMs
  while (!(await condition())) {
    if (Date.now() > end) assert.fail(`not within ${deadlineMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** An event in one word, for comparing sequences. */
export function brief(event: StoreEvent): string {
  return event.type === 'put' ? `put ${event.item.key}=${event.item.value}` : `delete ${event.key}`
}
