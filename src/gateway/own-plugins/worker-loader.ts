import type { PluginRegistry } from '../../plugin/registry.ts'
import type { Settings } from '../../settings/settings.ts'
import { type Catalogue, loadNamed, loadPlugins, namesOf } from '../load-plugins.ts'
import type { WorkerStart } from '../worker-start.ts'
import { WatchedCatalogue } from './watched-catalogue.ts'

/** The plugins that a worker can load. */
export interface WorkerPlugins {
  readonly builtIn: Catalogue
  /** The user's own as they are now. */
  own(settings: Settings): Promise<Catalogue>
  /** Gets ready to load those. */
  warm(): Promise<void>
}

/** What a worker is to enable, loaded. */
export interface LoadedWorkerPlugins {
  /** Names of what is enabled. */
  readonly plugins: readonly string[]
  readonly catalogue: Catalogue
  readonly registry: PluginRegistry
  /** In `gatewright dev`: those that the primary process does not know. */
  readonly own: WatchedCatalogue | undefined
}

/** Loads the plugins of a worker; in `gatewright dev` in two steps, the product's own, which take the longest, long before the user's. */
export class WorkerLoader {
  readonly #known: WorkerPlugins
  #warm: { readonly names: string; readonly registry: Promise<PluginRegistry> } | undefined

  constructor(known: WorkerPlugins) {
    this.#known = known
  }

  /** The first step. */
  async warm({ settings, plugins }: WorkerStart): Promise<void> {
    const { builtIn } = this.#known
    this.#warm = { names: plugins.join(), registry: loadPlugins(builtIn, { ...settings, plugins }) }
    await Promise.all([this.#known.warm(), this.#warm.registry])
  }

  /** Throws when a plugin cannot be loaded. */
  async load({ settings, plugins, development }: WorkerStart): Promise<LoadedWorkerPlugins> {
    const { builtIn } = this.#known
    const found = await this.#known.own(settings)
    if (!development) {
      const catalogue = { ...builtIn, ...found }
      const registry = await loadPlugins(catalogue, { ...settings, plugins })
      return { plugins, catalogue, registry, own: undefined }
    }
    const own = new WatchedCatalogue(found)
    const isWarm = this.#warm?.names === plugins.join()
    const registry = await (isWarm ? this.#warm!.registry : loadPlugins(builtIn, { ...settings, plugins }))
    const names = namesOf(own.catalogue, development.list)
    for (const { definition, attr } of await loadNamed(own.catalogue, names, settings.plugin_attr)) {
      registry.register(definition, attr)
    }
    return { plugins: [...plugins, ...names], catalogue: { ...builtIn, ...own.catalogue }, registry, own }
  }
}
