import { pluginListSchema } from '../model/schemas/plugin-list.ts'
import { compileValidator } from '../model/validator.ts'
import type { Logger } from '../observe/logger.ts'
import type { Settings } from '../settings/settings.ts'
import type { ConfigStore, Listing, StoreEvent } from '../store/config-store.ts'
import type { FollowListener } from '../store/follow.ts'
import type { PluginList } from './load-plugins.ts'

/** The single item of the store that says which plugins are enabled (contract §2.1). */
export function pluginListKey(prefix: string): string {
  return `${prefix}/plugins`
}

/**
 * Tells the nodes without admin API which plugins to enable. A list of `all` is not written: its meaning is another one in every
 * version, and an APISIX that reads the same store would lose what only it has. Throws when the store cannot be reached.
 */
export async function writePluginList(
  store: ConfigStore,
  prefix: string,
  { plugins, stream_plugins }: Pick<Settings, 'plugins' | 'stream_plugins'>,
): Promise<void> {
  if (plugins === 'all') return
  const list = [
    ...plugins.map((name) => ({ name })),
    ...stream_plugins.map((name) => ({ name, stream: true })),
  ]
  const key = pluginListKey(prefix)
  const value = JSON.stringify(list)
  const stored = await store.get(key)
  if (stored?.value !== value) await store.put(key, value)
}

/** What a stored value enables for HTTP; `undefined` for none, or one that cannot be read. */
export function readPluginList(value: string | undefined, logger: Logger): PluginList | undefined {
  if (value === undefined) return undefined
  let list: unknown
  try {
    list = JSON.parse(value)
  } catch (error) {
    list = error
  }
  const problem = list instanceof Error ? list.message : compileValidator(pluginListSchema)(list)
  if (problem !== undefined) {
    logger.error(
      { reason: problem },
      'the list of plugins in the store cannot be used; that of the settings counts',
    )
    return undefined
  }
  const entries = list as readonly { readonly name: string; readonly stream?: boolean }[]
  return entries.filter(({ stream }) => stream !== true).map(({ name }) => name)
}

/** Passes everything on, and tells of the value of the list when it comes, changes or goes. */
export function listenForPluginList(
  listener: FollowListener,
  prefix: string,
  onValue: (value: string | undefined) => void,
): FollowListener {
  const key = pluginListKey(prefix)
  return {
    onState: (listing: Listing) => {
      listener.onState(listing)
      onValue(listing.items.find((item) => item.key === key)?.value)
    },
    onEvents: (events: readonly StoreEvent[], revision, origin) => {
      listener.onEvents(events, revision, origin)
      for (const event of events) {
        if (event.type === 'delete' && event.key === key) onValue(undefined)
        if (event.type === 'put' && event.item.key === key) onValue(event.item.value)
      }
    },
  }
}
