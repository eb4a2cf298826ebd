import type { DiscoveredService, Discoverer, NodeSink, Watch } from './discoverer.ts'

/** Makes the discoverer of one type from its part of `discovery.*` in the settings. Throws when that cannot be used. */
export type DiscovererFactory = (config: Readonly<Record<string, unknown>>) => Discoverer

/** The types of discovery that the settings configure. */
export class Discovery {
  readonly #discoverers: ReadonlyMap<string, Discoverer>
  readonly #factories: Readonly<Record<string, DiscovererFactory>>

  /** `config` is `discovery` of the settings: only what it names is made. Throws when a part of it cannot be used. */
  constructor(
    factories: Readonly<Record<string, DiscovererFactory>>,
    config: Readonly<Record<string, unknown>>,
  ) {
    this.#factories = factories
    const configured = Object.entries(config).filter(([type]) => Object.hasOwn(factories, type))
    this.#discoverers = new Map(
      configured.map(([type, part]) => [type, factories[type]!((part ?? {}) as Record<string, unknown>)]),
    )
  }

  /**
   * As {@link Discoverer.watch}, but throws nothing: a type that there is not or that is not configured, and a service that cannot be
   * one, have no nodes, and the sink hears why (contract §5.1).
   */
  watch(type: string, service: DiscoveredService, sink: NodeSink): Watch {
    const discoverer = this.#discoverers.get(type)
    if (discoverer) {
      try {
        return discoverer.watch(service, sink)
      } catch (error) {
        sink.onProblem((error as Error).message)
        return NOTHING
      }
    }
    sink.onProblem(
      Object.hasOwn(this.#factories, type)
        ? `discovery type "${type}" is not configured; add discovery.${type} to the settings`
        : `discovery type "${type}" is not known; use one of: ${Object.keys(this.#factories).join(', ')}`,
    )
    return NOTHING
  }

  /** As {@link Discoverer.dump}; `undefined` also for a type that there is not or that is not configured. */
  dump(type: string): object | undefined {
    return this.#discoverers.get(type)?.dump?.()
  }
}

const NOTHING: Watch = { close: () => undefined }
