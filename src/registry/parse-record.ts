import type { AgentRecord, DrainRecord, NodeRecord } from './records.ts'
import { AGENT_WORD, isWord, NODE_ID, readEndpoint } from './records.ts'

/**
 * Reads what stands in the store, where anyone may have written: `undefined` for what is not a record of its place, which then
 * counts as absent.
 */
export function parseNode(id: string, value: string): NodeRecord | undefined {
  const record = parseObject(value) as Partial<NodeRecord> | undefined
  const { node_id, endpoint, lease_id, lease_ttl_s, labels } = record ?? {}
  const isWell =
    node_id === id &&
    isWord(id, NODE_ID) &&
    typeof endpoint === 'string' &&
    readEndpoint(endpoint) !== undefined &&
    typeof lease_id === 'string' &&
    typeof lease_ttl_s === 'number' &&
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
    (weight as number) >= 0 &&
    Number.isInteger(priority) &&
    Array.isArray(capabilities) &&
    capabilities.every((one) => typeof one === 'string') &&
    isMap(metadata) &&
    (endpoint === undefined || (typeof endpoint === 'string' && readEndpoint(endpoint) !== undefined))
  return isWell ? (record as AgentRecord) : undefined
}

export function parseDrain(value: string): DrainRecord | undefined {
  const record = parseObject(value) as Partial<DrainRecord> | undefined
  return typeof record?.drain_s === 'number' ? (record as DrainRecord) : undefined
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

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
