import { createHash } from 'node:crypto'
import type { InstanceHost } from '../../../src/plugin/api.ts'

/**
 * The identity of a limit: the same for equal configurations of one place in every process and on every node, so that they count
 * together; another one after a change, so that it starts anew (contract §7.3). Short, and free of what a key of redis may not hold.
 */
export function limitId(place: InstanceHost['place'], config: unknown): string {
  return digest(`${place}\n${sortedJson(config)}`)
}

/** The identity of what all members of a group share. */
export function groupId(group: string, config: unknown): string {
  return digest(`group ${group}\n${sortedJson(config)}`)
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22)
}

function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
