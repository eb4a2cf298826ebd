import { ConfigError, type InstanceHost } from '../../src/plugin/api.ts'
import type { QuotaCounter } from '../_shared/limit/quota.ts'
import type { LimitCountConfig } from './schema.ts'

interface Group {
  readonly fingerprint: string
  readonly counter: QuotaCounter
  members: number
}

type Groups = Map<string, Group>

/**
 * Groups span resources, so they belong to the gateway and not to one instance. The metric registry is what all instances of
 * one gateway have in common; weakly held, a gateway that is gone takes its groups with it.
 */
const groupsOf = new WeakMap<InstanceHost['metrics'], Groups>()

/**
 * The counter of the group, made by its first member and forgotten with its last. Throws when a living member has another
 * configuration (contract §7.3).
 */
export function joinGroup(
  name: string,
  config: LimitCountConfig,
  { host, make }: { readonly host: InstanceHost; readonly make: () => QuotaCounter },
): QuotaCounter {
  const groups = groupsOf.get(host.metrics) ?? new Map<string, Group>()
  groupsOf.set(host.metrics, groups)
  const fingerprint = JSON.stringify(Object.entries(config).sort())
  const group = groups.get(name) ?? { fingerprint, counter: make(), members: 0 }
  if (group.fingerprint !== fingerprint) throw new ConfigError('group conf mismatched')
  groups.set(name, group)
  group.members += 1
  host.own(() => {
    group.members -= 1
    if (group.members === 0) groups.delete(name)
  })
  return group.counter
}
