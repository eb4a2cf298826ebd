import { ConfigError, type InstanceHost } from '../../src/plugin/api.ts'
import { groupId } from '../_shared/limit/limit-id.ts'
import type { LimitCountConfig } from './schema.ts'

interface Group {
  readonly id: string
  members: number
}

type Groups = Map<string, Group>

/**
 * Groups span resources, so they belong to the gateway and not to one instance. The metric registry is what all instances of
 * one gateway have in common; weakly held, a gateway that is gone takes its groups with it.
 */
const groupsOf = new WeakMap<InstanceHost['metrics'], Groups>()

/**
 * The identity that the members of the group count under. Throws when a living member has another configuration (contract §7.3).
 */
export function joinGroup(name: string, config: LimitCountConfig, host: InstanceHost): string {
  const groups = groupsOf.get(host.metrics) ?? new Map<string, Group>()
  groupsOf.set(host.metrics, groups)
  const id = groupId(name, config)
  const group = groups.get(name) ?? { id, members: 0 }
  if (group.id !== id) throw new ConfigError('group conf mismatched')
  groups.set(name, group)
  group.members += 1
  host.own(() => {
    group.members -= 1
    if (group.members === 0) groups.delete(name)
  })
  return id
}
