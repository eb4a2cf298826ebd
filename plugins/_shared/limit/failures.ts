import type { InstanceHost } from '../../../src/plugin/api.ts'

const LOGGED_EVERY_MS = 10_000

/** Told of every request that a limit could not decide about, and why. */
export type NoteFailure = (reason: unknown) => void

/** Counts such requests, and logs one in ten seconds, because there may be thousands. */
export function failureNotes(plugin: string, host: InstanceHost, mayDegrade: boolean): NoteFailure {
  const counted = host.metrics
    .counter({
      name: 'gatewright_limit_failures_total',
      help: 'Requests that a limit could not decide about, by what became of them',
      labels: ['plugin', 'outcome'],
    })
    .labels(plugin, mayDegrade ? 'passed' : 'refused')
  let loggedAt = Number.NEGATIVE_INFINITY
  return (reason) => {
    counted.inc()
    const now = host.clock.monotonic()
    if (now - loggedAt < LOGGED_EVERY_MS) return
    loggedAt = now
    host.logger.warn(
      { reason: reason instanceof Error ? reason.message : reason, isPassed: mayDegrade },
      'a limit could not decide about a request; logged once in ten seconds',
    )
  }
}
