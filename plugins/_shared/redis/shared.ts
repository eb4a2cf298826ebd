import type { InstanceHost } from '../../../src/plugin/api.ts'
import { RedisConnection } from './connection.ts'
import type { RedisTarget } from './target.ts'

interface Shared {
  readonly connection: RedisConnection
  users: number
}

/**
 * The metric registry is what all plugins of one gateway have in common; weakly held, a gateway that is gone takes its list with it.
 */
const connectionsOf = new WeakMap<InstanceHost['metrics'], Map<string, Shared>>()

/** The connection of all instances that ask for the same, closed with the last of them. */
export function shareRedis(target: RedisTarget, host: InstanceHost): RedisConnection {
  const connections = connectionsOf.get(host.metrics) ?? new Map<string, Shared>()
  connectionsOf.set(host.metrics, connections)
  const key = JSON.stringify(target)
  let shared = connections.get(key)
  if (!shared) {
    const tlsOptions = (isVerified: boolean) => host.tlsOptions(isVerified)
    const { logger, clock } = host
    shared = { connection: new RedisConnection(target, { logger, clock, tlsOptions }), users: 0 }
    connections.set(key, shared)
  }
  const { connection } = shared
  const own = shared
  own.users += 1
  host.own(async () => {
    own.users -= 1
    if (own.users > 0) return
    connections.delete(key)
    await connection.close()
  })
  return connection
}
