import type { Ref } from '../model/kind.ts'
import type { Logger } from '../observe/logger.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import type { RequestContext } from './context/request-context.ts'
import type {
  AnyPlugin,
  Clock,
  InstanceHost,
  NodeOperation,
  PluginInstance,
  PublicApi,
  StoredPart,
  StoredProto,
  UpstreamHandle,
  UpstreamTarget,
  WorkerOperation,
} from './definition.ts'
import type { HttpClient } from './http-client.ts'
import type { InstanceEnvironment } from './instance.ts'
import { OwnedTimers } from './owned-timers.ts'
import type { TlsCheck } from './tls-trust.ts'

export type Release = () => void | Promise<void>

export interface HostParts {
  readonly plugin: AnyPlugin
  readonly owner: Ref
  readonly releases: Release[]
  readonly environment: InstanceEnvironment
  /** Compiles another plugin for the same owner; released with this one. */
  nested(name: string, config: unknown, place: string): PluginInstance
  readonly place: string
}

/** The host of one instance. What costs something is made when it is first asked for: most instances use little of it. */
export class OwnHost implements InstanceHost {
  readonly #parts: HostParts
  #logger: Logger | undefined
  #timers: OwnedTimers | undefined

  constructor(parts: HostParts) {
    this.#parts = parts
  }

  get logger(): Logger {
    const { plugin, owner, environment } = this.#parts
    this.#logger ??= environment.logger.child({ plugin: plugin.name, [owner.kind]: owner.id })
    return this.#logger
  }

  get metrics(): MetricRegistry {
    return this.#parts.environment.metrics
  }

  get metricPrefix(): string {
    return this.#parts.environment.metricPrefix
  }

  get clock(): Clock {
    return this.#parts.environment.clock
  }

  tlsOptions(isVerified: boolean): TlsCheck {
    return this.#parts.environment.tlsOptions(isVerified)
  }

  get http(): HttpClient {
    return this.#parts.environment.http
  }

  get attr(): Readonly<Record<string, unknown>> {
    return this.#parts.environment.attr(this.#parts.plugin.name)
  }

  get httpsPort(): number | undefined {
    return this.#parts.environment.httpsPort
  }

  get owner(): Ref {
    return this.#parts.owner
  }

  metadata(): Readonly<Record<string, unknown>> {
    return this.#parts.environment.metadata(this.#parts.plugin.name)
  }

  own(release: Release): void {
    this.#parts.releases.push(release)
  }

  after(ms: number, run: () => unknown): () => void {
    return this.#ownTimers().after(ms, run)
  }

  every(ms: number, run: () => unknown): () => void {
    return this.#ownTimers().every(ms, run)
  }

  nodeOperation<Argument, Result>(name: string): NodeOperation<Argument, Result> {
    const { environment, plugin } = this.#parts
    return environment.nodeOperations.bind(plugin, name) as NodeOperation<Argument, Result>
  }

  workerOperation<Argument, Result>(name: string): WorkerOperation<Argument, Result> {
    const { environment, plugin } = this.#parts
    return environment.workerOperations.bind(plugin, name) as WorkerOperation<Argument, Result>
  }

  get place(): string {
    return this.#parts.place
  }

  nested(name: string, config: unknown, place = ''): PluginInstance {
    const { plugin, nested } = this.#parts
    return nested(name, config, `${this.place}/${plugin.name}/${place}`)
  }

  upstream(target: UpstreamTarget): UpstreamHandle {
    const { environment, owner, plugin, releases } = this.#parts
    const place = `${owner.kind}/${owner.id}/plugins/${plugin.name}/${releases.length}`
    return environment.published.openUpstream(place, target, (release) => this.own(release))
  }

  proto(id: string): StoredProto | undefined {
    return this.#parts.environment.published.findProto(id)
  }

  stored(part: StoredPart, context: RequestContext): Readonly<Record<string, unknown>> | undefined {
    const view = part === 'consumer' ? context.consumer : context.route
    return view && this.#parts.environment.published.shown(part, view)
  }

  findPublicApi(method: string, uri: string): PublicApi | undefined {
    return this.#parts.environment.findPublicApi(method, uri)
  }

  #ownTimers(): OwnedTimers {
    if (!this.#timers) {
      const { plugin, environment } = this.#parts
      const timers = new OwnedTimers((error) => environment.onBackgroundFailure(plugin.name, error))
      this.own(() => timers.clear())
      this.#timers = timers
    }
    return this.#timers
  }
}
