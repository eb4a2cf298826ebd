import { type AnyPlugin, ConfigError, type InstanceHost } from '../../plugin/definition.ts'
import type { Catalogue } from '../load-plugins.ts'

/** The user's own plugins in a worker of `gatewright dev`. */
export class WatchedCatalogue {
  readonly catalogue: Catalogue
  readonly #plugins: AnyPlugin[] = []
  readonly #thrown: unknown[] = []

  constructor(catalogue: Catalogue) {
    this.catalogue = Object.fromEntries(
      Object.entries(catalogue).map(([name, load]) => [name, async () => this.#watched(await load())]),
    )
  }

  /** Those that were loaded. */
  get plugins(): readonly AnyPlugin[] {
    return this.#plugins
  }

  has(name: string): boolean {
    return Object.hasOwn(this.catalogue, name)
  }

  /**
   * Throws what compiling has thrown so far, unless that says that a person has to mend a configuration: then it is the configuration that
   * does not fit any more, and not the plugin that is broken.
   */
  assertCompiled(): void {
    const [error] = this.#thrown
    // Its text is all that comes out of this process.
    if (error !== undefined)
      throw new Error(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }

  #watched({ default: plugin }: { default: AnyPlugin }): { default: AnyPlugin } {
    const compile = (config: unknown, host: InstanceHost) => {
      try {
        return plugin.compile(config, host)
      } catch (error) {
        // Bounded: after the start nobody looks at it.
        if (!(error instanceof ConfigError) && this.#thrown.length === 0) this.#thrown.push(error)
        throw error
      }
    }
    const watched = Object.assign(Object.create(plugin) as AnyPlugin, { compile })
    this.#plugins.push(watched)
    return { default: watched }
  }
}
