import type { Ref } from '../../src/model/kind.ts'
import { type Answer, refuse, type Written } from './answer.ts'
import type { Call } from './call.ts'
import type { AdminDeps } from './deps.ts'

/** A node as it tells of itself; the gateway's reports are these. */
export interface ClusterNode {
  readonly id: string
  readonly hostname: string
  readonly version: string
  readonly role: string
  readonly workers: number
  readonly started_at_ms: number
  readonly reported_at_ms: number
  readonly applied_revision: number
  readonly observed_revision: number
  readonly quarantined: readonly (Ref & { readonly reason: string; readonly revision: number })[]
  readonly quarantined_total: number
}

/** The nodes that share the store. */
export interface ClusterView {
  /** Rejects when the store cannot be asked. */
  list(): Promise<readonly ClusterNode[]>
}

/** How often nodes are asked for again while a write waits for them. */
const ASK_MS = 50

/** `GET /apisix/admin/cluster`. */
export async function showCluster({ cluster, clock }: AdminDeps, _call: Call): Promise<Answer> {
  if (!cluster) throw refuse(404, 'this gateway does not know of others')
  const nodes = await cluster.list()
  const newest = Math.max(...nodes.map((node) => node.observed_revision), 0)
  const list = nodes.map((node) => ({
    id: node.id,
    hostname: node.hostname,
    version: node.version,
    role: node.role,
    workers: node.workers,
    started_at: isoTime(node.started_at_ms),
    // Silence is no lag: a node tells of itself when something has changed.
    reported_s_ago: Math.max(0, Math.floor((clock.now() - node.reported_at_ms) / 1000)),
    applied_revision: node.applied_revision,
    observed_revision: node.observed_revision,
    revisions_behind: Math.max(0, newest - node.applied_revision),
    quarantined: node.quarantined,
    quarantined_total: node.quarantined_total,
  }))
  return { status: 200, json: { total: list.length, newest_revision: newest, list } }
}

/** What became of a write on the nodes that serve requests. */
export interface ClusterOutcome {
  readonly applied: readonly string[]
  readonly behind: readonly {
    readonly id: string
    readonly hostname: string
    readonly applied_revision: number
  }[]
  readonly refused: readonly { readonly id: string; readonly hostname: string; readonly reason: string }[]
}

/**
 * The answer once every node that serves requests has the change: as it is, with `cluster` beside it; 422 when some node cannot use
 * what was stored, 202 when the time is up before all of them have it.
 */
export async function waitForCluster(
  { cluster }: AdminDeps,
  { answer, written, timeoutMs }: { answer: Answer; written: Written; timeoutMs: number },
): Promise<Answer> {
  if (!cluster) return { ...answer, status: 202 }
  const endsAtMs = performance.now() + timeoutMs
  let outcome = outcomeOf(await cluster.list(), written)
  while (outcome.behind.length > 0 && performance.now() < endsAtMs) {
    await new Promise((resolve) => setTimeout(resolve, ASK_MS))
    outcome = outcomeOf(await cluster.list(), written)
  }
  const status = outcome.refused.length > 0 ? 422 : outcome.behind.length > 0 ? 202 : answer.status
  const body = typeof answer.json === 'object' ? answer.json : {}
  return { ...answer, status, json: { ...body, cluster: outcome } }
}

function outcomeOf(nodes: readonly ClusterNode[], { kind, id, after }: Written): ClusterOutcome {
  const serving = nodes.filter(({ role }) => role !== 'control_plane')
  const applied: string[] = []
  const behind: ClusterOutcome['behind'][number][] = []
  const refused: ClusterOutcome['refused'][number][] = []
  for (const node of serving) {
    const { id: nodeId, hostname, applied_revision } = node
    const quarantined = node.quarantined.find((one) => one.kind === kind && one.id === id)
    if (applied_revision < after) behind.push({ id: nodeId, hostname, applied_revision })
    else if (quarantined) refused.push({ id: nodeId, hostname, reason: quarantined.reason })
    else applied.push(nodeId)
  }
  return { applied, behind, refused }
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
