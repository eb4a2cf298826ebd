import type { AgentRecord, DrainRecord, NodeRecord, NodeStatus } from './records.ts'
import { AGENT_WORD, isWord, NODE_ID, readEndpoint } from './records.ts'

const STATUSES: Readonly<Record<NodeStatus, true>> = {
  initializing: true,
  running: true,
  degraded: true,
  draining: true,
}
/** Of a load: weights are made of them. */
const FIGURES = ['cpu_usage', 'memory_usage', 'average_processing_time', 'error_rate'] as const
/** Seconds of a lease or a drain: more than a timer takes would be no time at all. */
const LONGEST_S = 86_400
const HEAVIEST = 1_000_000

/**
 * Reads what stands in the store, where anyone may have written: `undefined` for what is not a record of its place, which then
 * counts as absent.
 */
export function parseNode(id: string, value: string): NodeRecord | undefined {
  const record = parseObject(value) as Partial<NodeRecord> | undefined
  const { node_id, endpoint, lease_id, lease_ttl_s, labels, status, load } = record ?? {}
  const isWell =
    node_id === id &&
    isWord(id, NODE_ID) &&
    typeof endpoint === 'string' &&
    readEndpoint(endpoint) !== undefined &&
    typeof lease_id === 'string' &&
    isWithin(lease_ttl_s, LONGEST_S) &&
    Object.hasOwn(STATUSES, String(status)) &&
    (load === undefined || isLoad(load)) &&
    isMap(labels)
  return isWell ? (record as NodeRecord) : undefined
}

export function parseAgent(id: string, value: string): AgentRecord | undefined {
  const record = parseObject(value) as Partial<AgentRecord> | undefined
  const { type, key, node_id, weight, priority, capabilities, metadata, endpoint } = record ?? {}
  const isWell =
    `${type}/${key}` === id &&
    isWord(String(type), AGENT_WORD) &&
    isWord(String(key), AGENT_WORD) &&
    typeof node_id === 'string' &&
    Number.isInteger(weight) &&
    isWithin(weight, HEAVIEST) &&
    Number.isInteger(priority) &&
    Array.isArray(capabilities) &&
    capabilities.every((one) => typeof one === 'string') &&
    isMap(metadata) &&
    (endpoint === undefined || (typeof endpoint === 'string' && readEndpoint(endpoint) !== undefined))
  return isWell ? (record as AgentRecord) : undefined
}

export function parseDrain(value: string): DrainRecord | undefined {
  const record = parseObject(value) as Partial<DrainRecord> | undefined
  return isWithin(record?.drain_s, LONGEST_S) ? (record as DrainRecord) : undefined
}

function parseObject(value: string): object | undefined {
  try {
    const parsed: unknown = JSON.parse(value)
    return isMap(parsed) ? parsed : undefined
  } catch {
    // Not JSON, so not a record; whoever counts the bad ones is told by `undefined`.
    return undefined
  }
}

function isLoad(load: unknown): boolean {
  return isMap(load) && FIGURES.every((name) => isWithin((load as Record<string, unknown>)[name], Infinity))
}

function isWithin(value: unknown, most: number): boolean {
  return typeof value === 'number' && value >= 0 && value <= most
}

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
