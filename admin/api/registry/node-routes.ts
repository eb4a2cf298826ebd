import { isSocketPath } from '../../../src/lib/socket-path.ts'
import { intervalMs } from '../../../src/registry/desk.ts'
import type { Beat } from '../../../src/registry/heartbeats.ts'
import type { LocalSockets } from '../../../src/registry/local-sockets.ts'
import { showNode } from '../../../src/registry/look-up.ts'
import { checkNodeId, type NodeClaim, nodeNotFound } from '../../../src/registry/node-desk.ts'
import { readEndpoint } from '../../../src/registry/records.ts'
import { RegistryError } from '../../../src/registry/registry-error.ts'
import {
  checkedBody,
  numberOf,
  type RegistryAnswer,
  type RegistryCall,
  type RegistryDeps,
} from './registry-call.ts'
import { heartbeatSchema, nodeSchema } from './schemas.ts'

const DRAIN = { min: 0, max: 86_400, fallback: 0 }

/** `/nodes`: systems.md §7.3. */
export function createNodeRoutes({ registry, leaseTtl }: RegistryDeps) {
  const { view } = registry
  return {
    list: async (): Promise<RegistryAnswer> => {
      const list = [...view.nodes()].sort((a, b) => (a.id < b.id ? -1 : 1))
      return { status: 200, json: { total: list.length, list: list.map((node) => showNode(view, node)) } }
    },

    get: async ({ segments: [, id = ''] }: RegistryCall): Promise<RegistryAnswer> => {
      checkNodeId(id)
      const node = view.node(id)
      if (!node) throw nodeNotFound(id)
      return { status: 200, json: showNode(view, node) }
    },

    put: async ({ segments: [, id = ''], body, gatewayEndpoint }: RegistryCall): Promise<RegistryAnswer> => {
      checkNodeId(id)
      const claim = checkedBody<NodeClaim & { node_id?: string }>(body, nodeSchema)
      checkEndpoint(claim.endpoint, registry.sockets)
      if (claim.node_id !== undefined && claim.node_id !== id) {
        throw new RegistryError(
          'VALIDATION_FAILED',
          `node_id "${claim.node_id}" is not "${id}", as the path says`,
        )
      }
      const { node_id: _id, ...rest } = claim
      const registered = await registry.desks.nodes.register(id, { ...rest, ttl_s: claim.ttl_s ?? leaseTtl })
      const { record, isNew, modRevision } = registered
      return {
        status: isNew ? 201 : 200,
        json: {
          node_id: id,
          lease_id: record.lease_id,
          lease_ttl_s: record.lease_ttl_s,
          heartbeat_interval_ms: intervalMs(record),
          gateway_endpoint: gatewayEndpoint,
          revision: modRevision,
        },
      }
    },

    heartbeat: async ({ segments: [, id = ''], body }: RegistryCall): Promise<RegistryAnswer> => {
      checkNodeId(id)
      return { status: 200, json: await registry.desks.heartbeats.beat(id, readBeat(registry, body)) }
    },

    remove: async ({ segments: [, id = ''], query }: RegistryCall): Promise<RegistryAnswer> => {
      const seconds = numberOf(query, 'drain_s', DRAIN)
      const { isDraining } = await registry.desks.nodes.remove(id, seconds)
      if (!isDraining) return { status: 204 }
      registry.desks.drains.start(id, seconds)
      return { status: 202, json: { node_id: id, status: 'draining', drain_s: seconds } }
    },
  }
}

function readBeat(registry: RegistryDeps['registry'], body: unknown): Beat {
  try {
    return checkedBody<Beat>(body, heartbeatSchema)
  } catch (error) {
    registry.countInvalidBeat()
    throw error
  }
}

/** Throws `VALIDATION_FAILED` when it is no address, or a socket that this gateway does not open. */
export function checkEndpoint(endpoint: string, sockets: LocalSockets): void {
  const place = readEndpoint(endpoint)
  if (!place) {
    throw new RegistryError(
      'VALIDATION_FAILED',
      `endpoint "${endpoint}" is no address; use http://host:port, host:port or unix:/path`,
    )
  }
  if (!isSocketPath(place.host) || sockets.isAllowed(place.host)) return
  throw new RegistryError(
    'VALIDATION_FAILED',
    `endpoint "${endpoint}" is not below a directory of gatewright.registry.unix_sockets; add its directory there, or use an address`,
  )
}
