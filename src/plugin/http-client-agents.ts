import { Agent } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import type { Socket } from 'node:net'
import type { HttpTls } from './http-client.ts'
import type { TlsTrust } from './tls-trust.ts'

/** Calls with the same settings share connections; those with others never do. */
export interface AgentSettings {
  readonly isTls: boolean
  readonly tls: HttpTls
  /** Longest time that a connection waits for its next call. */
  readonly idleMs: number
  /** Connections kept waiting for each origin. */
  readonly pool: number
}

/** So many kinds of settings keep connections at a time: the one unused for longest gives way. */
const MAX_AGENTS = 64
/** Connections at a time to one origin; calls beyond wait for a free one within their time limit. */
const MAX_SOCKETS = 1024

/** The keep-alive pools of one client, keyed by their settings. */
export class AgentPools {
  readonly #agents = new Map<string, Agent>()
  readonly #trust: TlsTrust

  constructor(trust: TlsTrust) {
    this.#trust = trust
  }

  get size(): number {
    return this.#agents.size
  }

  agentFor(settings: AgentSettings): Agent {
    const key = keyOf(settings)
    const known = this.#agents.get(key)
    if (known) {
      // Re-inserted, so that the map's order is that of the last use.
      this.#agents.delete(key)
      this.#agents.set(key, known)
      return known
    }
    const agent = makeAgent(settings, this.#trust)
    this.#agents.set(key, agent)
    if (this.#agents.size > MAX_AGENTS) this.#retireOldest()
    return agent
  }

  /** Closes every connection, those in use too. */
  destroy(): void {
    for (const agent of this.#agents.values()) agent.destroy()
    this.#agents.clear()
  }

  /** Calls under way end as they would; their connections close after them, because nothing is kept any more. */
  #retireOldest(): void {
    const [oldest] = this.#agents
    if (!oldest) return
    const [key, agent] = oldest
    this.#agents.delete(key)
    agent.maxFreeSockets = 0
    for (const sockets of Object.values(agent.freeSockets)) destroyAll(sockets)
  }
}

function destroyAll(sockets: readonly Socket[] | undefined): void {
  for (const socket of sockets ?? []) socket.destroy()
}

function keyOf({ isTls, tls, idleMs, pool }: AgentSettings): string {
  const { verify = true, ca = '', cert = '', key = '' } = tls
  return isTls ? `s|${idleMs}|${pool}|${verify}|${ca}|${cert}|${key}` : `p|${idleMs}|${pool}`
}

function makeAgent({ isTls, tls, idleMs, pool }: AgentSettings, trust: TlsTrust): Agent {
  const options = { keepAlive: true, maxFreeSockets: pool, maxSockets: MAX_SOCKETS, timeout: idleMs }
  return isTls ? new TlsAgent({ ...options, ...tlsOptions(tls, trust) }) : new Agent(options)
}

/** Node's names for the settings; absent ones stay absent. */
export function tlsOptions({ verify = true, ca: own, cert, key }: HttpTls, trust: TlsTrust) {
  if (own === undefined && cert === undefined && key === undefined) return trust.check(verify)
  const ca = own ?? trust.authorities
  return {
    rejectUnauthorized: verify,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  }
}
