import type { Clock } from '../lib/clock.ts'
import { type Deadline, withinLimit } from './deadline.ts'
import type { Drain } from './drain.ts'

/**
 * A part of the process that starts and stops. Equal ranks go together; lower ranks start first and stop last: status 0, metrics and
 * admin 1, configuration and health 2, proxy 3, registration 4 (systems.md §6.3).
 */
export interface Component {
  readonly name: string
  readonly rank: number
  /** Rejects when the process cannot run without it, and has then let go of what it took. Gives up when `signal` is aborted. */
  start(signal: AbortSignal): Promise<void>
  /** Told when a stop begins, before any component stops; not waited for, must not throw. */
  onDrain?(): void
  /** Finishes what it can until the deadline and cuts the rest; resolves with how many pieces of work were cut. */
  stop(deadline: Deadline): Promise<number>
  /** Longest time its stop is waited for; the deadline and a second when absent. */
  readonly stopLimitMs?: number
}

export interface StopReport {
  /** Pieces of work that were cut, and one more for each component that was late or failed. */
  readonly forced: number
  /** What went wrong, by component. */
  readonly problems: readonly { readonly name: string; readonly message: string }[]
}

/** What all stops of a process share. */
export interface StopTools {
  readonly clock: Clock
  /** Holds each component until it has stopped. */
  readonly drain: Drain
}

/** Past the deadline, what is left (stores, the status listener) shares this much time. */
const AFTER_DEADLINE_MS = 1000

/**
 * Starts the components rank by rank. When one rejects or `signal` is aborted, no further rank starts and it rejects with the first
 * cause; `onStarted` has then been told of every component that has to be stopped again.
 */
export async function startInOrder(
  components: readonly Component[],
  signal: AbortSignal,
  onStarted: (component: Component) => void,
): Promise<void> {
  for (const rank of ranksOf(components)) {
    signal.throwIfAborted()
    const results = await Promise.allSettled(
      rank.map(async (component) => {
        await component.start(signal)
        onStarted(component)
      }),
    )
    const failure = results.find((result) => result.status === 'rejected')
    if (failure) throw failure.reason
  }
}

/**
 * Tells all components that a stop begins, then stops them rank by rank, highest first; each is bounded, none can keep the next from its turn, and
 * all of it is over a second after the deadline at the latest. Never rejects.
 */
export async function stopInOrder(
  components: readonly Component[],
  deadline: Deadline,
  { clock, drain }: StopTools,
): Promise<StopReport> {
  const endMs = clock.nowMs() + deadline.remainingMs() + AFTER_DEADLINE_MS
  const releases = new Map(components.map((component) => [component, drain.hold(component.name)]))
  const problems: { name: string; message: string }[] = []
  let forced = 0
  const stopOne = async (component: Component): Promise<void> => {
    const leftMs = Math.max(0, endMs - clock.nowMs())
    const limitMs = Math.min(leftMs, component.stopLimitMs ?? leftMs)
    const result = await withinLimit(() => component.stop(deadline), limitMs, clock)
    releases.get(component)!()
    if (result.outcome === 'done') {
      forced += result.value
      return
    }
    forced++
    drain.force(component.name)
    const message =
      result.outcome === 'late' ? `did not stop within ${Math.round(limitMs)} ms` : text(result.error)
    problems.push({ name: component.name, message })
  }
  const onDeadline = () => drain.start('immediate')
  drain.start('graceful')
  for (const component of components) component.onDrain?.()
  deadline.signal.addEventListener('abort', onDeadline, { once: true })
  for (const rank of ranksOf(components).reverse()) await Promise.all(rank.map(stopOne))
  deadline.signal.removeEventListener('abort', onDeadline)
  return { forced, problems }
}

function ranksOf(components: readonly Component[]): Component[][] {
  const byRank = new Map<number, Component[]>()
  for (const component of components) {
    const rank = byRank.get(component.rank)
    if (rank) rank.push(component)
    else byRank.set(component.rank, [component])
  }
  return [...byRank].sort(([one], [other]) => one - other).map(([, members]) => members)
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
