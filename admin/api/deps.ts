import type { Kind, Ref } from '../../src/model/kind.ts'
import type { Logger } from '../../src/observe/logger.ts'
import type { AdminScope } from '../../src/settings/settings.ts'
import type { PluginChecker } from '../../src/snapshot/validate.ts'
import type { ConfigStore } from '../../src/store/config-store.ts'
import type { AppliedRevisions } from './applied.ts'
import type { AuditSink } from './audit.ts'
import type { ClusterView } from './cluster.ts'
import type { KeyOwner, RecentClaims } from './duplicate-keys.ts'
import type { RegistryDeps } from './registry/registry-call.ts'

export type { AdminScope } from '../../src/settings/settings.ts'

/** What the admin API shows of a plugin; a plugin's definition is one. */
export interface PluginDescription {
  readonly name: string
  readonly priority: number
  readonly schema: object
  readonly consumerSchema?: object
  readonly metadataSchema?: object
  readonly type?: string
  readonly scope?: string
  /** The field of a consumer's configuration that no other consumer may share. */
  readonly consumerKey?: string
}

/** The plugin registry as the admin API needs it. */
export interface PluginCatalogue extends PluginChecker {
  /** The enabled plugins, highest priority first. */
  all(): readonly PluginDescription[]
  get(name: string): PluginDescription | undefined
}

export interface Dependent {
  readonly kind: Kind
  readonly id: string
  /** By an id of its own, or inside a plugin's configuration. */
  readonly via: 'reference' | 'plugin'
}

/** One entry of `deployment.admin.admin_key`. */
export interface AdminKey {
  readonly key: string
  readonly role: 'admin' | 'viewer'
  readonly name: string
  /** Absent for all that the role allows. */
  readonly scope?: AdminScope
}

/** Everything the admin API needs of the process around it. */
export interface AdminDeps {
  readonly store: ConfigStore
  /** Where resources stand in the store: `/apisix`. The paths of the API are `/apisix/admin` whatever it is. */
  readonly prefix: string
  readonly plugins: PluginCatalogue
  /** Who refers to what, as of the last snapshot. */
  readonly graph: { dependents(ref: Ref): readonly Dependent[] }
  readonly keys: readonly AdminKey[]
  readonly keyRequired: boolean
  /** Addresses and CIDR blocks that may connect; absent allows all, an empty list none. */
  readonly allowAdmin?: readonly string[] | undefined
  readonly enableCors: boolean
  /** Gatewright's own version. */
  readonly version: string
  /** Wall clock in ms since the epoch. */
  readonly clock: { now(): number }
  readonly logger: Logger
  /** Takes over the list of plugins as it stands now; rejects with a `PluginReloadError` when that cannot be. Absent where the list cannot change. */
  readonly reloadPlugins?: (() => Promise<void>) | undefined
  /** Who is recognised by a key of an authentication plugin, as of the last snapshot; without it the store is searched. */
  readonly consumers?: { owners(plugin: string, key: string): readonly KeyOwner[] } | undefined
  /** What plugins that this process has not loaded have against a document that passed all other checks: the message of a 400. */
  readonly checkElsewhere?: ((kind: Kind, document: object) => Promise<string | undefined>) | undefined
  /** Whether `apisix.proxy_mode` has streams; without, everything about `stream_routes` is refused. */
  readonly hasStreams?: boolean | undefined
  /** Where service instances register; absent when they cannot. */
  readonly registry?: RegistryDeps | undefined
  /** Made by the API itself. */
  readonly recentClaims?: RecentClaims
  /** What the local data plane serves; without it no write can wait for that. */
  readonly applied?: AppliedRevisions | undefined
  /** The nodes that share the store; without it no write can wait for them. */
  readonly cluster?: ClusterView | undefined
  /** Told of every write and of refused access; absent when nobody wants to know. */
  readonly audit?: AuditSink | undefined
  /** Bytes; default {@link DEFAULT_BODY_LIMIT}. */
  readonly bodyLimit?: number | undefined
}

/** 1.5 MiB (contract §1.1). */
export const DEFAULT_BODY_LIMIT = 1572864
