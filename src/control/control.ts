import type { FastifyPluginCallback, FastifyReply } from 'fastify'
import { type HealthSource, healthcheckRoutes } from './healthcheck.ts'

/** The kinds that the control API shows, and the word for one of them in its paths and messages. */
const SHOWN_KINDS = { routes: 'route', services: 'service', upstreams: 'upstream' } as const

export type ShownKind = keyof typeof SHOWN_KINDS

/** One resource as the gateway holds it: with defaults and node arrays (contract §8.1). */
export interface ControlItem {
  /** `/apisix/routes/1`. */
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
  readonly createdIndex: number
  readonly modifiedIndex: number
  readonly has_domain?: boolean
}

/** How far configuration has come, from the store to the requests. */
export interface SyncState {
  /** Latest revision that the store has told of. */
  readonly observed_revision: number
  /** Revision that requests are served with. */
  readonly published_revision: number
  /** Revision that is being compiled; absent when nothing is pending. */
  readonly pending_revision?: number
  /** Resources whose latest form cannot be used; the last good one serves. */
  readonly quarantined: readonly { readonly kind: string; readonly id: string; readonly reason: string }[]
  /** Upstreams for which names or registries gave no nodes; absent when there are none. */
  readonly without_nodes?: readonly { readonly upstream: string; readonly reason: string }[]
}

/** Where the control API gets its answers; all of them are made on the spot and owned by the caller. */
export interface ControlSource {
  sync(): SyncState
  list(kind: ShownKind): readonly ControlItem[]
  get(kind: ShownKind, id: string): ControlItem | undefined
  /** `{main, plugins, stream_plugins}`. */
  schema(): Readonly<Record<string, unknown>>
  readonly health: HealthSource
}

/** The control API: what the process holds at this moment, without a key and therefore on loopback by default (contract §8.1). */
export function controlPlugin(source: ControlSource): FastifyPluginCallback {
  return (app, _options, done) => {
    app.get('/v1/schema', (_request, reply) => sendJson(reply, source.schema()))
    app.get('/v1/sync', (_request, reply) => sendJson(reply, source.sync()))
    healthcheckRoutes(app, source.health)
    for (const [kind, word] of Object.entries(SHOWN_KINDS) as [ShownKind, string][]) {
      app.get(`/v1/${kind}`, (_request, reply) => sendJson(reply, source.list(kind)))
      app.get<{ Params: { id: string } }>(`/v1/${word}/:id`, (request, reply) => {
        const { id } = request.params
        const item = source.get(kind, id)
        return item
          ? sendJson(reply, item)
          : sendJson(reply.code(404), { error_msg: `${word}[${id}] not found` })
      })
    }
    done()
  }
}

function sendJson(reply: FastifyReply, body: unknown): FastifyReply {
  return reply.type('application/json').send(`${JSON.stringify(body)}\n`)
}
