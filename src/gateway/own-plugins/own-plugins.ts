import type { Kind } from '../../model/kind.ts'
import type { PluginConfigs } from '../../model/types.ts'
import type { AnyPlugin } from '../../plugin/definition.ts'
import type { PluginRegistry } from '../../plugin/registry.ts'
import type { Settings } from '../../settings/settings.ts'
import { nameOf } from '../../snapshot/graph.ts'
import type { Publisher } from '../../snapshot/publisher.ts'
import type { Catalogue } from '../load-plugins.ts'
import { mentions } from '../plugin-reload.ts'
import type { PluginCheck } from './check-feed.ts'
import { type DescribedPlugin, definitionOf } from './described-plugin.ts'

export interface OwnPluginsParts {
  readonly plugins: PluginRegistry
  readonly publisher: Pick<Publisher, 'reconsider' | 'status'>
  readonly attributes: Settings['plugin_attr']
}

/** A resource that requests do not meet, although this process has nothing against it. */
export interface Refused {
  /** Such as `routes/1`. */
  readonly resource: string
  readonly reason: string
}

/**
 * In the primary process of `gatewright dev`: the user's own plugins as the running generation of workers describes them. Their code is never
 * loaded here, since a module that was loaded stays for ever.
 */
export class OwnPlugins {
  readonly #catalogue: Record<string, () => Promise<{ default: AnyPlugin }>>
  readonly #known = new Map<string, string>()
  #parts: OwnPluginsParts | undefined
  #refused: readonly Refused[] = []
  /** Awaited by a worker that is ready to take the place of another one; a rejection keeps it from that. */
  gate: (() => Promise<void>) | undefined
  /** Asks a worker, which has loaded the plugins. */
  ask: ((check: PluginCheck) => Promise<string | undefined>) | undefined

  constructor(builtIn: Catalogue) {
    this.#catalogue = { ...builtIn }
  }

  /** The product's plugins and, from when they are known, the user's own. */
  get catalogue(): Catalogue {
    return this.#catalogue
  }

  has(name: string): boolean {
    return this.#known.has(name)
  }

  /** Called once, before the start. */
  attach(parts: OwnPluginsParts): void {
    this.#parts = parts
  }

  /** Takes the place of what was described before. Resolves when what is stored has been checked against it. */
  async take(all: readonly DescribedPlugin[]): Promise<void> {
    const { plugins, publisher } = this.#parts!
    const changed = all.filter((one) => this.#known.get(one.name) !== JSON.stringify(one))
    const removed = [...this.#known.keys()].filter((name) => !all.some((one) => one.name === name))
    if (changed.length + removed.length === 0) return
    for (const name of removed) this.#forget(name)
    for (const one of changed) this.#learn(one)
    const others = plugins.all().filter(({ name }) => !this.#known.has(name))
    plugins.setEnabled([...others.map(({ name }) => name), ...this.#known.keys()])
    const names = [...removed, ...changed.map(({ name }) => name)]
    await publisher.reconsider(mentions(names), { keepsLastGood: false })
  }

  /**
   * What own plugins have against a document that fits their schemas, in the words of contract §1.7; `undefined` also when no worker
   * says so in time.
   */
  async check(
    kind: Kind,
    { plugins = {} }: { readonly plugins?: PluginConfigs },
  ): Promise<string | undefined> {
    const place = kind === 'consumers' || kind === 'credentials' ? 'consumer' : 'resource'
    for (const [name, config] of Object.entries(plugins)) {
      const problem = this.#known.has(name) ? await this.ask?.([name, config, place]) : undefined
      if (problem === undefined) continue
      return place === 'consumer' ? `invalid plugins configuration: ${problem}` : problem
    }
    return undefined
  }

  /** What the workers cannot use. */
  refuse(refused: readonly Refused[]): void {
    this.#refused = refused
  }

  /** What only the workers know to be unusable: it passes the schemas, and no more. */
  notServed(): readonly Refused[] {
    const own = new Set(this.#parts!.publisher.status.quarantined.map(nameOf))
    return this.#refused.filter(({ resource }) => !own.has(resource))
  }

  #learn(described: DescribedPlugin): void {
    const { plugins, attributes } = this.#parts!
    const { name } = described
    const definition = definitionOf(described)
    plugins.replace(definition, attributes[name])
    this.#catalogue[name] = async () => ({ default: definition })
    this.#known.set(name, JSON.stringify(described))
  }

  #forget(name: string): void {
    this.#parts!.plugins.remove(name)
    delete this.#catalogue[name]
    this.#known.delete(name)
  }
}
