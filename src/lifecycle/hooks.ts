import type { Clock } from '../lib/clock.ts'
import { withinLimit } from './deadline.ts'

/** What whoever embeds a gateway does around its start and stop (systems.md §6.3 S4 and S10, §6.6 D2 and D12). */
export interface LifecycleHooks<Addresses> {
  /** Before configuration is read; status, metrics and admin listen already. A rejection ends the start. `signal` is aborted when that is called off. */
  beforeStart?(signal: AbortSignal): void | Promise<void>
  /** Everything listens, and the gateway is about to be ready. A rejection ends the start. */
  afterStart?(addresses: Addresses): void | Promise<void>
  /** The gateway has just said that it is not ready any more, and still accepts. */
  beforeStop?(reason: string): void | Promise<void>
  /** Everything but the status listener is closed. */
  afterStop?(): void | Promise<void>
}

export type StopHook = 'beforeStop' | 'afterStop'

/** Runs a hook of a stop for at most `limitMs`; resolves with what went wrong, and never rejects: no hook can keep a stop from going on. */
export async function runStopHook(
  name: StopHook,
  hook: () => void | Promise<void>,
  { limitMs, clock }: { readonly limitMs: number; readonly clock: Clock },
): Promise<string | undefined> {
  const result = await withinLimit(async () => hook(), limitMs, clock)
  if (result.outcome === 'done') return undefined
  if (result.outcome === 'late') return `${name} did not end within ${Math.round(limitMs)} ms`
  const { error } = result
  return `${name} failed: ${error instanceof Error ? error.message : String(error)}`
}
