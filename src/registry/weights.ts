import { DEGRADED_SHARE, dynamicWeight, SLOW_START_MS, slowStartShare } from './dynamic-weight.ts'
import { isSelectable, type NodeEntry, type Serving, statusOf } from './entries.ts'
import type { AgentRecord } from './records.ts'

/** The weights of an agent as its node does at the moment. */
export interface Weights {
  /** The base weight as its node's state lets it have. */
  readonly weight: number
  /** The same with the node's figures in it, for `wrr_dynamic`. */
  readonly dynamic: number
}

/** A base weight of 0 stays 0: it is never picked. */
export function weightsOf({ agent, node }: Serving, nowMs: number): Weights {
  if (agent.weight === 0) return { weight: 0, dynamic: 0 }
  const share = shareOf(node, nowMs)
  return {
    weight: part(agent.weight, share),
    dynamic: part(dynamicWeight(agent.weight, node.load), share),
  }
}

function part(weight: number, share: number): number {
  return Math.max(1, Math.floor(weight * share))
}

function shareOf(node: NodeEntry, nowMs: number): number {
  if (statusOf(node) === 'degraded') return DEGRADED_SHARE
  return node.recoveredAtMs === undefined ? 1 : slowStartShare(nowMs - node.recoveredAtMs)
}

/** Whether the weights of an agent's node still climb. */
export function isClimbing({ recoveredAtMs }: NodeEntry, nowMs: number): boolean {
  return recoveredAtMs !== undefined && nowMs - recoveredAtMs < SLOW_START_MS
}

/** What an upstream or a look-up may ask of agents beside their type. */
export interface Wanted {
  readonly capabilities: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}

/** Tells of an agent whether it has all the capabilities, and it or its node all the labels; made once for all that are asked. */
export function wantedTest({
  capabilities,
  labels,
}: Wanted): (agent: AgentRecord, node: NodeEntry) => boolean {
  const pairs = Object.entries(labels)
  return (agent, node) => {
    for (const capability of capabilities) if (!agent.capabilities.includes(capability)) return false
    for (const [name, value] of pairs) {
      if (own(agent.metadata, name) !== value && own(node.record.labels, name) !== value) return false
    }
    return true
  }
}

function own(map: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(map, name) ? map[name] : undefined
}

/** Agents that may be picked and are wanted. */
export function selectable(all: readonly Serving[], wanted: Wanted): Serving[] {
  const isWanted = wantedTest(wanted)
  return all.filter(({ agent, node }) => isSelectable(node) && isWanted(agent, node))
}
