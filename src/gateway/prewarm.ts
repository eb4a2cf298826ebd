import { SYSTEM_CLOCK } from '../lib/clock.ts'
import { createDeadline } from '../lifecycle/deadline.ts'
import type { Environment } from './environment.ts'

/** How many names of upstreams a line of the log has. */
const MAX_NAMED = 5

type Prewarmed = Pick<Environment, 'settings' | 'discovery' | 'monitor' | 'pools' | 'logger'>

export interface PrewarmOptions {
  readonly signal: AbortSignal
  /** False in a primary process, whose workers open connections of their own. */
  readonly sendsRequests: boolean
}

/**
 * Makes ready what the first requests would wait for: names of nodes are resolved, every node with active checks is probed once, and connections are
 * opened, if the settings ask for any. Called once the configuration is published. What takes longer than `prewarm.timeout_ms` is said and not waited for;
 * never rejects (systems.md §6.3 S6).
 */
export async function prewarm(parts: Prewarmed, { signal, sendsRequests }: PrewarmOptions): Promise<void> {
  const { settings, discovery, monitor, pools, logger } = parts
  const { timeout_ms: timeoutMs } = settings.gatewright.prewarm
  const connections = sendsRequests ? settings.gatewright.prewarm.connections : 0
  if (timeoutMs === 0) return
  const deadline = createDeadline(timeoutMs, SYSTEM_CLOCK)
  const until = AbortSignal.any([signal, deadline.signal])
  try {
    await discovery.feeds.settled(until)
    const unanswered = discovery.feeds.unsettled()
    if (unanswered.length > 0)
      logger.warn(
        { upstreams: unanswered.slice(0, MAX_NAMED), count: unanswered.length, timeoutMs },
        'nodes of upstreams were not found in time',
      )
    const [unprobed, opened] = await Promise.all([
      monitor?.firstRound(until) ?? 0,
      connections > 0 ? pools.warm(connections, until) : 0,
    ])
    if (unprobed > 0) logger.warn({ nodes: unprobed }, 'nodes were not probed before the first request')
    if (connections > 0) logger.info({ connections: opened }, 'connections were opened ahead')
  } finally {
    deadline.dispose()
  }
}

/**
 * Opens connections once more, for a worker that stood by: those that it had may have idled for too long, and nodes have come since. Those that stand
 * are counted in. Bounded as {@link prewarm} is; never rejects.
 */
export async function prewarmAgain({ settings, pools }: Prewarmed, signal: AbortSignal): Promise<void> {
  const { timeout_ms: timeoutMs, connections } = settings.gatewright.prewarm
  if (timeoutMs === 0 || connections === 0) return
  const deadline = createDeadline(timeoutMs, SYSTEM_CLOCK)
  try {
    await pools.warm(connections, AbortSignal.any([signal, deadline.signal]))
  } finally {
    deadline.dispose()
  }
}
