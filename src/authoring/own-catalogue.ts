import { pathToFileURL } from 'node:url'
import type { AnyPlugin } from '../plugin/definition.ts'
import { enableTypeScript } from './enable-typescript.ts'
import { findPlugins, PluginFolderError } from './plugin-folders.ts'

type Catalogue = Readonly<Record<string, () => Promise<{ default: AnyPlugin }>>>

/**
 * The plugins in the folders of `gatewright.plugin_paths`, each loaded when it is enabled. Throws {@link PluginFolderError} when a
 * folder cannot be used or a plugin is called as one of `builtIn`. `enable` is called before the first of them could be loaded.
 */
export async function ownCatalogue(
  paths: readonly string[],
  builtIn: Catalogue,
  enable = enableTypeScript,
): Promise<Catalogue> {
  const plugins = findPlugins(paths)
  if (plugins.size === 0) return {}
  for (const { name, folder } of plugins.values()) {
    if (!Object.hasOwn(builtIn, name)) continue
    throw new PluginFolderError(`${folder}: there is a plugin "${name}" already; give yours another name`)
  }
  await enable()
  return Object.fromEntries([...plugins.values()].map(({ name, entry }) => [name, () => load(name, entry)]))
}

async function load(name: string, entry: string): Promise<{ default: AnyPlugin }> {
  let loaded: { default?: Partial<AnyPlugin> }
  try {
    loaded = await import(pathToFileURL(entry).href)
  } catch (error) {
    throw new PluginFolderError(`${entry} cannot be loaded: ${(error as Error).stack ?? String(error)}`)
  }
  const plugin = loaded.default
  if (typeof plugin?.compile !== 'function' || typeof plugin.schema !== 'object') {
    throw new PluginFolderError(`${entry} exports no plugin; it needs "export default definePlugin({ … })"`)
  }
  if (plugin.name !== name) {
    throw new PluginFolderError(
      `${entry}: the plugin is called "${plugin.name}"; call it "${name}", as its folder`,
    )
  }
  return { default: plugin as AnyPlugin }
}
