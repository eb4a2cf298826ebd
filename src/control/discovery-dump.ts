import type { FastifyInstance } from 'fastify'
import { refuse, sendJson } from './answer.ts'

/** Where the control API learns what registries told. */
export interface DiscoverySource {
  /** A value for JSON; `undefined` for a `discovery_type` that is unknown, not configured, or without such a view. */
  dumpDiscovery(type: string): object | undefined
}

/** `/v1/discovery/{type}/dump` (contract §8.1). There are no dump files, so `show_dump_file` is a path like any unknown one. */
export function discoveryDumpRoutes(app: FastifyInstance, source: DiscoverySource): void {
  app.get<{ Params: { type: string } }>('/v1/discovery/:type/dump', ({ params: { type } }, reply) => {
    const dump = source.dumpDiscovery(type)
    return dump
      ? sendJson(reply, dump)
      : refuse(reply, 404, `discovery type "${type}" is not configured, or has nothing to dump`)
  })
}
