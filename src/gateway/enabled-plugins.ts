import { SYSTEM_CLOCK } from '../lib/clock.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import type { PluginRegistry } from '../plugin/registry.ts'
import type { Settings } from '../settings/settings.ts'
import type { Publisher } from '../snapshot/publisher.ts'
import type { ConfigStore } from '../store/config-store.ts'
import type { FollowListener } from '../store/follow.ts'
import type { SavedValue } from './last-good.ts'
import type { Catalogue, PluginList } from './load-plugins.ts'
import { PluginReload, type PluginReloadParts } from './plugin-reload.ts'
import { countReload } from './reload-metrics.ts'
import { listenForPluginList, pluginListKey, readPluginList, writePluginList } from './shared-plugin-list.ts'

export interface EnabledPluginsParts extends Pick<PluginReloadParts, 'publisher' | 'logger' | 'onReload'> {
  readonly settings: Settings
  readonly catalogue: Catalogue
  readonly plugins: PluginRegistry
  readonly publisher: Publisher
  readonly metrics: MetricRegistry
  /** What the settings say now. */
  readPluginList(): PluginList | Promise<PluginList>
}

/**
 * Which plugins are enabled: those of the settings; on a node without admin API those of the store, if it says so. With etcd, the
 * node with the admin API writes the list there (contract §2.1 and §6).
 */
export class EnabledPlugins {
  readonly #parts: EnabledPluginsParts
  readonly #reload: PluginReload
  /** Whether the settings decide; else the store does, as soon as it has a list. */
  readonly #isDecidedHere: boolean
  /** As it stands in the store, on a node without admin API. */
  #stored: PluginList | undefined
  #store: ConfigStore | undefined

  constructor(parts: EnabledPluginsParts) {
    this.#parts = parts
    const { apisix, store } = parts.settings
    // A configuration that is handed over as a whole carries the list too (contract §2.4).
    this.#isDecidedHere = apisix.enable_admin && store.type !== 'configs'
    this.#reload = new PluginReload({
      ...parts,
      attributes: parts.settings.plugin_attr,
      readList: () => this.#stored ?? parts.readPluginList(),
    })
  }

  /**
   * Before the store is followed, so that nothing is compiled with another list. A store that does not answer is no reason not to
   * start: what was `saved` counts, or else what the settings say.
   */
  async start(store: ConfigStore, saved?: SavedValue): Promise<void> {
    const { settings, logger } = this.#parts
    this.#store = store
    if (this.#isDecidedHere) return
    try {
      const asked = store.get(pluginListKey(settings.store.prefix))
      await this.#adopt((await (saved ? within(asked, saved.waitMs) : asked))?.value)
    } catch (error) {
      const reason = (error as Error).message
      logger.warn(
        { reason },
        `the list of plugins in the store is not known yet; that ${saved ? 'which was saved' : 'of the settings'} counts`,
      )
      if (saved) await this.#adopt(saved.value)
    }
  }

  /** The publisher's place at the store, where the list is shared too. */
  listener(): FollowListener {
    const { publisher, settings } = this.#parts
    const onValue = (value: string | undefined) => void this.#adopt(value)
    if (!this.#isDecidedHere) return listenForPluginList(publisher, settings.store.prefix, onValue)
    return {
      onState: (listing) => {
        publisher.onState(listing)
        void this.#share()
      },
      onEvents: (events, revision) => publisher.onEvents(events, revision),
    }
  }

  /** To be told right before the proxy is built; see {@link PluginReload.mounting}. */
  mounting(): void {
    this.#reload.mounting()
  }

  /** Takes over the list as it stands now; see {@link PluginReload.reload}. */
  async reload(): Promise<void> {
    const list = await countReload(this.#parts.metrics, 'plugins', this.#reload.reload())
    if (this.#isDecidedHere) await this.#write(list)
  }

  /** Once the store answers, which may be long after the start. */
  async #share(): Promise<void> {
    const { settings, logger } = this.#parts
    try {
      await this.#write(settings.plugins)
    } catch (error) {
      const reason = (error as Error).message
      logger.warn({ reason }, 'the list of plugins could not be written into the store; a reload tries again')
    }
  }

  async #write(plugins: PluginList): Promise<void> {
    const { settings } = this.#parts
    if (!this.#store || settings.store.type !== 'etcd') return
    await writePluginList(this.#store, settings.store.prefix, { ...settings, plugins })
  }

  async #adopt(value: string | undefined): Promise<void> {
    const { logger } = this.#parts
    try {
      this.#stored = readPluginList(value, logger)
      await this.#reload.reload()
    } catch (error) {
      logger.error(
        { err: error },
        'the list of plugins in the store cannot be taken over; what was enabled stays',
      )
    }
  }
}

/** Rejects when the answer takes longer; what comes of it then is nobody's any more. */
async function within<T>(answer: Promise<T>, limitMs: number): Promise<T> {
  let cancel = () => {}
  const late = new Promise<never>((_, reject) => {
    cancel = SYSTEM_CLOCK.schedule(limitMs, () => reject(new Error(`no answer within ${limitMs} ms`)))
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    cancel()
  }
}
