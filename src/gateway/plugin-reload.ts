import type { Logger } from '../observe/logger.ts'
import type { PluginRegistry } from '../plugin/registry.ts'
import { PluginReloadError } from '../plugin/reload-error.ts'
import type { Settings } from '../settings/settings.ts'
import { SettingsError } from '../settings/settings-error.ts'
import type { Publisher } from '../snapshot/publisher.ts'
import { type Catalogue, type LoadedPlugin, loadNamed, namesOf, type PluginList } from './load-plugins.ts'

export interface PluginReloadParts {
  readonly catalogue: Catalogue
  readonly attributes: Settings['plugin_attr']
  readonly plugins: PluginRegistry
  readonly publisher: Pick<Publisher, 'reconsider'>
  readonly logger: Logger
  /** The list as it stands now, wherever it is kept. May throw a {@link SettingsError}. */
  readList(): PluginList | Promise<PluginList>
  /** Told of what is enabled from now on; a reload has ended when this has. */
  onReload?(names: readonly string[]): Promise<void>
}

/** Enables and disables plugins of a running gateway. One list is taken over at a time. */
export class PluginReload {
  readonly #parts: PluginReloadParts
  #last: Promise<unknown> = Promise.resolve()
  /** Plugins that are part of the listening proxy; absent as long as it is not built. */
  #mounted: ReadonlySet<string> | undefined

  constructor(parts: PluginReloadParts) {
    this.#parts = parts
  }

  /** From now on the proxy listens: what plugins bring for the listener itself can no longer be added. */
  mounting(): void {
    this.#mounted = new Set(this.#parts.plugins.all().map(({ name }) => name))
  }

  /**
   * Takes the list over as it stands now, and resolves with it when requests meet what it says. Requests under way keep what they
   * matched. Rejects with a {@link PluginReloadError}, and changes nothing, when that cannot be done without a restart.
   */
  reload(): Promise<PluginList> {
    const turn = this.#last.then(() => this.#reload())
    // The caller is told of a failure; who comes next starts afresh.
    this.#last = turn.catch(() => undefined)
    return turn
  }

  async #reload(): Promise<PluginList> {
    const list = await this.#read()
    await this.#apply(list)
    return list
  }

  async #read(): Promise<PluginList> {
    try {
      return await this.#parts.readList()
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error
      throw new PluginReloadError(`the settings cannot be used, nothing was changed: ${error.message}`)
    }
  }

  async #apply(list: PluginList): Promise<void> {
    const { catalogue, plugins, publisher, logger } = this.#parts
    const names = namesOf(catalogue, list)
    const unknown = list === 'all' ? [] : list.filter((name) => !names.includes(name))
    if (unknown.length > 0) logger.warn({ plugins: unknown }, 'plugins that this version does not have')
    const added = names.filter((name) => !plugins.get(name))
    const removed = plugins.all().flatMap(({ name }) => (names.includes(name) ? [] : [name]))
    if (added.length + removed.length === 0) return
    const loaded = await this.#load(added.filter((name) => !plugins.registered(name)))
    this.#refuseUnmounted(added, loaded)
    for (const { definition, attr } of loaded) plugins.register(definition, attr)
    plugins.setEnabled(names)
    // With its instances the plugin would live on: what names it serves no more than after a restart.
    const ended = removed.length > 0 && publisher.reconsider(mentions(removed), { keepsLastGood: false })
    await Promise.all([ended, added.length > 0 && publisher.reconsider(mentions(added))])
    await this.#parts.onReload?.(names)
    logger.info({ added, removed }, 'other plugins are enabled')
  }

  /** Everything that can go wrong does so before anything is changed. */
  async #load(names: readonly string[]): Promise<LoadedPlugin[]> {
    const { catalogue, attributes } = this.#parts
    try {
      return await loadNamed(catalogue, names, attributes)
    } catch (error) {
      throw new PluginReloadError(
        `a plugin cannot be loaded, nothing was changed: ${(error as Error).message}`,
      )
    }
  }

  #refuseUnmounted(added: readonly string[], loaded: readonly LoadedPlugin[]): void {
    const known = added.flatMap((name) => this.#parts.plugins.registered(name) ?? [])
    for (const { name, fastify } of [...known, ...loaded.map(({ definition }) => definition)]) {
      if (!fastify || !this.#mounted || this.#mounted.has(name)) continue
      throw new PluginReloadError(
        `plugin "${name}" adds to the listeners themselves, which happens at the start only: restart the gateway to enable it; nothing was changed`,
      )
    }
  }
}

/** Whether a document names one of the plugins, at whatever depth: plugins may carry the configuration of others. */
export function mentions(
  plugins: readonly string[],
): (ref: { readonly id: string }, document: object) => boolean {
  const names: ReadonlySet<unknown> = new Set(plugins)
  return ({ id }, document) => names.has(id) || holds(document, names)
}

/** Whether one of the names is a key or a text of the document. Without recursion: a document can be nested deeply. */
function holds(document: object, names: ReadonlySet<unknown>): boolean {
  const open: unknown[] = [document]
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (names.has(value)) return true
    if (typeof value !== 'object' || value === null) continue
    for (const [key, child] of Object.entries(value)) {
      if (names.has(key)) return true
      if (child !== undefined) open.push(child)
    }
  }
  return false
}
