import Fastify, {
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import { VERSION } from '../lib/version.ts'
import type { Kind } from '../model/kind.ts'
import { type AuditLog, createAuditLog } from '../observe/audit-log.ts'
import type { Logger } from '../observe/logger.ts'
import type { PluginRegistry } from '../plugin/registry.ts'
import type { AdminKey, ListenAddress } from '../settings/settings.ts'
import type { Graph } from '../snapshot/graph.ts'
import type { ConfigStore } from '../store/config-store.ts'
import { adminTls } from './admin-tls.ts'
import type { AppliedSource } from './applied-source.ts'
import type { Cluster } from './cluster/cluster.ts'
import type { Environment } from './environment.ts'
import type { KeyOwners } from './key-owners.ts'
import { type RegistryApiDeps, registryApiDeps } from './node-registry.ts'

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
  readonly applied: AppliedSource
  readonly consumers: KeyOwners
  readonly hasStreams: boolean
  readonly cluster: Pick<Cluster, 'list'>
  readonly registry: RegistryApiDeps | undefined
  readonly audit: Pick<AuditLog, 'write'> | undefined
  /** What plugins that this process has not loaded have against a document. */
  checkElsewhere?(kind: Kind, document: object): Promise<string | undefined>
  /** Rejects with a `PluginReloadError` when the list of plugins cannot be taken over. */
  reloadPlugins(): Promise<void>
}

export type CreateAdminApi = (deps: AdminApiDeps) => FastifyPluginAsync

export interface AdminParts
  extends Pick<
    AdminApiDeps,
    'graph' | 'store' | 'applied' | 'cluster' | 'consumers' | 'reloadPlugins' | 'checkElsewhere'
  > {
  readonly create: CreateAdminApi
}

/** Requests of the admin API must be complete within this time. */
const REQUEST_TIMEOUT_MS = 30_000

/** The admin API on its own listener. */
export class AdminListener {
  readonly #app: FastifyInstance

  constructor(
    { settings, plugins, logger, registry }: Environment,
    { graph, store, create, applied, cluster, consumers, reloadPlugins, checkElsewhere }: AdminParts,
  ) {
    const { admin } = settings.deployment
    const own = logger.child({ listener: 'admin' })
    const audit = createAuditLog(settings.gatewright.log.audit_log, own)
    this.#app = Fastify({
      logger: false,
      https: adminTls(admin),
      frameworkErrors: refuseTarget,
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
        logger: own,
        applied,
        cluster,
        registry: registryApiDeps(registry, settings),
        consumers,
        hasStreams: settings.apisix.proxy_mode !== 'http',
        audit,
        reloadPlugins,
        ...(checkElsewhere && { checkElsewhere }),
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

  async close(): Promise<void> {
    await this.#app.close()
  }
}

/** A path that cannot be decoded never gets to the admin API; its answer looks like one of that all the same. */
function refuseTarget(_error: Error, _request: FastifyRequest, reply: FastifyReply): void {
  void reply.code(400).type('application/json').send(Buffer.from('{"error_msg":"400 Bad Request"}\n'))
}
