import type { Ref } from '../model/kind.ts'
import type { Logger } from '../observe/logger.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import type {
  AnyPlugin,
  Clock,
  InstanceHost,
  PluginInstance,
  PublicApi,
  PublishedResources,
  Reply,
} from './definition.ts'
import type { HttpClient } from './http-client.ts'
import { type HostParts, OwnHost, type Release } from './instance-host.ts'
import type { CompiledMeta } from './meta.ts'
import type { NodeOperations, WorkerOperations } from './node-operations.ts'
import type { PreparedConfig } from './registry.ts'
import type { TlsCheck } from './tls-trust.ts'

/** One compiled configuration of one plugin for one owner. Lives as long as a snapshot holds it. */
export interface Instance {
  readonly plugin: AnyPlugin
  readonly owner: Ref
  /** `_meta.priority`, else the plugin's. */
  readonly priority: number
  readonly phases: PluginInstance
  readonly meta: CompiledMeta
  /** The effective configuration; `_meta.pre_function` and nothing else is shown it. */
  readonly config: Readonly<Record<string, unknown>>
  /** Equal exactly when plugin and effective configuration are equal. */
  readonly fingerprint: string
}

export interface InstanceEnvironment {
  readonly logger: Logger
  readonly metrics: MetricRegistry
  readonly metricPrefix: string
  readonly clock: Clock
  attr(plugin: string): Readonly<Record<string, unknown>>
  metadata(plugin: string): Readonly<Record<string, unknown>>
  readonly httpsPort: number | undefined
  readonly http: HttpClient
  tlsOptions(isVerified: boolean): TlsCheck
  readonly nodeOperations: NodeOperations
  readonly workerOperations: WorkerOperations
  readonly published: PublishedResources
  /** Throws with the text of contract §1.7. */
  prepare(plugin: string, config: unknown): PreparedConfig
  findPublicApi(method: string, uri: string): PublicApi | undefined
  /** A plugin's timer has thrown. */
  onBackgroundFailure(plugin: string, error: unknown): void
}

interface Placement {
  readonly owner: Ref
  /** See `InstanceHost.place`. */
  readonly place: string
  readonly print: string
}

const UNAVAILABLE: Reply = { status: 503 }

/** Makes instances and knows all that live, so that each can be disposed once and a plugin's close can wait for its own. */
export class InstanceFactory {
  readonly #environment: InstanceEnvironment
  readonly #live = new Map<Instance, Release[]>()

  constructor(environment: InstanceEnvironment) {
    this.#environment = environment
  }

  /** How many instances are alive; back at its start after every change has been undone. */
  get size(): number {
    return this.#live.size
  }

  /** Compiles one configuration. What `compile` had started is released when it throws. */
  create(prepared: PreparedConfig, owner: Ref, print = fingerprint(prepared)): Instance {
    return this.#create(prepared, { owner, place: `${owner.kind}/${owner.id}`, print })
  }

  #create(prepared: PreparedConfig, { owner, place, print }: Placement): Instance {
    const { plugin, config, meta } = prepared
    const releases: Release[] = []
    try {
      const instance: Instance = {
        plugin,
        owner,
        priority: meta.priority ?? plugin.priority,
        phases: plugin.compile(config, this.#host({ plugin, owner, place, releases })),
        meta: prepared.compiledMeta,
        config,
        fingerprint: print,
      }
      this.#live.set(instance, releases)
      return instance
    } catch (error) {
      void this.#release(plugin.name, releases)
      throw error
    }
  }

  /** Stands in for a configuration whose secrets are not to be had: every request that meets it is answered 503 (decision 21). */
  createBlocked({ plugin, config, meta, compiledMeta }: PreparedConfig, owner: Ref, print: string): Instance {
    const instance: Instance = {
      plugin,
      owner,
      priority: meta.priority ?? plugin.priority,
      phases: { rewrite: () => UNAVAILABLE },
      meta: compiledMeta,
      config,
      fingerprint: print,
    }
    this.#live.set(instance, [])
    return instance
  }

  /** Releases what the instance owns, in reverse order. Idempotent; a failing release is logged and the others still run. */
  async dispose(instance: Instance): Promise<void> {
    const releases = this.#live.get(instance)
    if (!releases) return
    this.#live.delete(instance)
    await this.#release(instance.plugin.name, releases)
  }

  /** All of one plugin, or all there are. */
  async disposeAll(plugin?: string): Promise<void> {
    const own = [...this.#live.keys()].filter(
      (instance) => plugin === undefined || instance.plugin.name === plugin,
    )
    await Promise.all(own.map((instance) => this.dispose(instance)))
  }

  #host(parts: Pick<HostParts, 'plugin' | 'owner' | 'place' | 'releases'>): InstanceHost {
    const environment = this.#environment
    const { owner, releases } = parts
    const nested = (name: string, config: unknown, place: string): PluginInstance => {
      const prepared = environment.prepare(name, config)
      const instance = this.#create(prepared, { owner, place, print: fingerprint(prepared) })
      releases.push(() => this.dispose(instance))
      return instance.phases
    }
    return new OwnHost({ ...parts, environment, nested })
  }

  async #release(plugin: string, releases: Release[]): Promise<void> {
    for (const release of releases.reverse()) {
      try {
        await release()
      } catch (error) {
        this.#environment.logger.error({ plugin, err: error }, 'a plugin failed to release what it owns')
      }
    }
  }
}

/** Text that is equal exactly when plugin and effective configuration are: JSON with sorted keys. */
export function fingerprint({ plugin, config, meta }: PreparedConfig): string {
  return `${plugin.name}\n${canonicalJson(config)}\n${canonicalJson(meta)}`
}

export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  const record = value as Record<string, unknown>
  const fields = Object.keys(record)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(record[key])}`)
  return `{${fields.join(',')}}`
}
