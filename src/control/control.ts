import type { FastifyPluginCallback } from 'fastify'
import { PluginReloadError } from '../plugin/reload-error.ts'
import { refuse, sendJson, sendList } from './answer.ts'
import { type DiscoverySource, discoveryDumpRoutes } from './discovery-dump.ts'
import { type HealthSource, healthcheckRoutes } from './healthcheck.ts'
import { componentRoutes, type LifecycleSource, type QuitSource, quitRoute } from './lifecycle.ts'
import type { SyncState } from './sync-state.ts'
import { type DebugSource, timelineRoutes } from './timeline.ts'

/** The kinds that the control API shows, and the word for one of them in its paths and messages. */
const SHOWN_KINDS = { routes: 'route', services: 'service', upstreams: 'upstream' } as const

export type ShownKind = keyof typeof SHOWN_KINDS

/** One resource as the gateway holds it: with defaults and node arrays, without secrets (contract §8.1). */
export interface ControlItem {
  /** `/apisix/routes/1`. */
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
  readonly createdIndex: number
  readonly modifiedIndex: number
  /** Whether a node of its own is given by name. */
  readonly has_domain: boolean
}

/** Metadata of one plugin with its defaults; `id` is the plugin's name. */
export type ShownMetadata = Readonly<Record<string, unknown>> & { readonly id: string }

/** Which process this is. */
export interface ServerInfo {
  readonly etcd_version: string
  readonly hostname: string
  readonly id: string
  readonly version: string
  /** Unix seconds. */
  readonly boot_time: number
}

/** What became of one secret reference; never a value. */
export interface ShownSecret {
  readonly reference: string
  /** `vault/1`, or `env`. */
  readonly manager?: string
  readonly state: string
  readonly reason?: string
  readonly ageMs?: number
}

/** Where the control API gets its answers; all of them are made on the spot and owned by the caller. */
export interface ControlSource extends DiscoverySource {
  sync(): SyncState
  /** May be read over several turns of the event loop. */
  list(kind: ShownKind): Iterable<ControlItem>
  get(kind: ShownKind, id: string): ControlItem | undefined
  listMetadata(): readonly ShownMetadata[]
  /** Of enabled plugins only. */
  getMetadata(plugin: string): ShownMetadata | undefined
  /** `{main, plugins, stream_plugins}`. */
  schema(): Readonly<Record<string, unknown>>
  serverInfo(): ServerInfo
  /** Resolves when requests meet the plugins of the list as it is now. Rejects with a {@link PluginReloadError} when that cannot be. */
  reloadPlugins(): Promise<void>
  /** Absent where no secrets are resolved. */
  secrets?(): readonly ShownSecret[]
  lifecycle(): LifecycleSource
  /** Absent where nobody may stop the process over HTTP. */
  readonly quit?: QuitSource
  readonly health: HealthSource
  readonly debug: DebugSource
  /** Follows a store that was held back. False when none is. */
  confirmStore(): boolean
  /** Absent where one process does everything. */
  workers?(): readonly object[]
  /** How the newest reload of the user's own plugins went; absent but in `gatewright dev`. */
  reloadStatus?(): object
}

/** The control API: what the process holds at this moment, without a key and therefore on loopback by default (contract §8.1). */
export function controlPlugin(source: ControlSource): FastifyPluginCallback {
  return (app, _options, done) => {
    app.get('/v1/schema', (_request, reply) => sendJson(reply, source.schema()))
    app.get('/v1/sync', (_request, reply) => sendJson(reply, source.sync()))
    app.post('/v1/sync/confirm', (_request, reply) => {
      if (source.confirmStore()) return sendJson(reply, source.sync())
      return refuse(reply, 409, 'nothing waits for a confirmation: the store is followed')
    })
    if (source.secrets)
      app.get('/v1/secrets', (_request, reply) => sendJson(reply, source.secrets!().map(shownSecret)))
    if (source.workers) app.get('/v1/workers', (_request, reply) => sendJson(reply, source.workers!()))
    app.get('/v1/server_info', (_request, reply) => sendJson(reply, source.serverInfo()))
    app.post('/v1/gc', (_request, reply) => {
      globalThis.gc?.()
      return reply.send()
    })
    if (source.reloadStatus)
      app.get('/v1/plugins/reload', (_request, reply) => sendJson(reply, source.reloadStatus!()))
    app.put('/v1/plugins/reload', async (_request, reply) => {
      try {
        await source.reloadPlugins()
      } catch (error) {
        if (error instanceof PluginReloadError) return refuse(reply, 400, error.message)
        throw error
      }
      return reply.type('text/plain; charset=utf-8').send('done')
    })
    componentRoutes(app, () => source.lifecycle())
    if (source.quit) quitRoute(app, source.quit)
    healthcheckRoutes(app, source.health)
    discoveryDumpRoutes(app, source)
    itemRoutes(app, source)
    metadataRoutes(app, source)
    timelineRoutes(app, source.debug)
    done()
  }
}

function shownSecret({ ageMs, ...status }: ShownSecret): object {
  return { ...status, ...(ageMs !== undefined && { age_ms: ageMs }) }
}

type App = Parameters<FastifyPluginCallback>[0]

function itemRoutes(app: App, source: ControlSource): void {
  for (const [kind, word] of Object.entries(SHOWN_KINDS) as [ShownKind, string][]) {
    app.get(`/v1/${kind}`, (_request, reply) => sendList(reply, source.list(kind)))
    app.get<{ Params: { id: string } }>(`/v1/${word}/:id`, ({ params: { id } }, reply) => {
      const item = source.get(kind, id)
      return item ? sendJson(reply, item) : refuse(reply, 404, `${word}[${id}] not found`)
    })
  }
}

function metadataRoutes(app: App, source: ControlSource): void {
  app.get('/v1/plugin_metadatas', (_request, reply) => {
    const all = source.listMetadata()
    // Lua's empty table: that is how APISIX shows an empty list here.
    return sendJson(reply, all.length === 0 ? {} : all)
  })
  app.get<{ Params: { name: string } }>('/v1/plugin_metadata/:name', ({ params: { name } }, reply) => {
    const metadata = source.getMetadata(name)
    return metadata ? sendJson(reply, metadata) : refuse(reply, 404, `plugin metadata[${name}] not found`)
  })
}
