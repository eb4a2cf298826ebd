import Fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify'
import { VERSION } from '../lib/version.ts'
import type { Logger } from '../observe/logger.ts'
import type { PluginRegistry } from '../plugin/registry.ts'
import type { AdminKey, ListenAddress } from '../settings/settings.ts'
import type { Graph } from '../snapshot/graph.ts'
import type { ConfigStore } from '../store/config-store.ts'
import type { Environment } from './environment.ts'

/** What the admin API is made with; `admin/api` takes exactly this. */
export interface AdminApiDeps {
  readonly store: ConfigStore
  readonly prefix: string
  readonly plugins: PluginRegistry
  readonly graph: Graph
  readonly keys: readonly AdminKey[]
  readonly keyRequired: boolean
  readonly allowAdmin: readonly string[] | undefined
  readonly enableCors: boolean
  readonly version: string
  readonly clock: { now(): number }
  readonly logger: Logger
  /** Rejects with a `PluginReloadError` when the list of plugins cannot be taken over. */
  reloadPlugins(): Promise<void>
}

export type CreateAdminApi = (deps: AdminApiDeps) => FastifyPluginAsync

export interface AdminParts extends Pick<AdminApiDeps, 'graph' | 'store' | 'reloadPlugins'> {
  readonly create: CreateAdminApi
}

/** Requests of the admin API must be complete within this time. */
const REQUEST_TIMEOUT_MS = 30_000

/** The admin API on its own listener. */
export class AdminListener {
  readonly #app: FastifyInstance

  constructor(
    { settings, plugins, logger }: Environment,
    { graph, store, create, reloadPlugins }: AdminParts,
  ) {
    const { admin } = settings.deployment
    this.#app = Fastify({
      logger: false,
      requestTimeout: REQUEST_TIMEOUT_MS,
      forceCloseConnections: 'idle',
      exposeHeadRoutes: false,
    })
    this.#app.register(
      create({
        store,
        prefix: settings.store.prefix,
        plugins,
        graph,
        keys: admin.admin_key,
        keyRequired: admin.admin_key_required,
        allowAdmin: admin.allow_admin,
        enableCors: admin.enable_admin_cors,
        version: VERSION,
        clock: { now: () => Date.now() },
        logger: logger.child({ listener: 'admin' }),
        reloadPlugins,
      }),
    )
  }

  /** Opens the socket; resolves with where it really listens. */
  async listen({ ip, port }: ListenAddress): Promise<ListenAddress> {
    await this.#app.listen({ host: ip, port })
    const address = this.#app.server.address()
    if (address === null || typeof address === 'string')
      throw new Error(`no address after listening on ${ip}:${port}`)
    return { ip: address.address, port: address.port }
  }

  close(): Promise<void> {
    return this.#app.close()
  }
}
