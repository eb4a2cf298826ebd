import { fileURLToPath } from 'node:url'
import { catalogue } from '../../plugins/catalogue.ts'
import { ownCatalogue } from '../authoring/own-catalogue.ts'
import { findPlugins } from '../authoring/plugin-folders.ts'
import { namesOf } from '../gateway/load-plugins.ts'
import type { Settings } from '../settings/settings.ts'
import { existingPaths } from './load-catalogue.ts'

/** A plugin as `gatewright plugin list` shows it. */
export interface ListedPlugin {
  readonly name: string
  readonly priority: number
  /** Absent where the plugin does not say. */
  readonly phases?: readonly string[]
  /** Whether the settings enable it. */
  readonly enabled: boolean
  readonly own: boolean
  /** Absolute. */
  readonly folder: string
}

/** All plugins that there are, in the order in which they run. Throws when one of the user's own cannot be loaded. */
export async function listPlugins(settings: Settings): Promise<ListedPlugin[]> {
  const paths = existingPaths(settings.gatewright.plugin_paths)
  const folders = findPlugins(paths)
  const all = { ...catalogue, ...(await ownCatalogue(paths, catalogue)) }
  const enabled = new Set(namesOf(all, settings.plugins))
  const listed = Object.entries(all).map(async ([name, load]): Promise<ListedPlugin> => {
    const { priority, phases } = (await load()).default
    const own = folders.get(name)?.folder
    return {
      name,
      priority,
      ...(phases && { phases }),
      enabled: enabled.has(name),
      own: own !== undefined,
      folder: own ?? fileURLToPath(new URL(`../../plugins/${name}`, import.meta.url)),
    }
  })
  return (await Promise.all(listed)).sort((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1))
}

/** The same as lines of a table; `shorten` makes a folder short for people. */
export function pluginTable(plugins: readonly ListedPlugin[], shorten: (folder: string) => string): string[] {
  const rows = plugins.map(({ name, priority, phases, enabled, own, folder }) => [
    name,
    String(priority),
    phases?.join(' ') ?? '?',
    enabled ? 'yes' : 'no',
    own ? shorten(folder) : 'built in',
  ])
  const table = [['plugin', 'priority', 'phases', 'enabled', 'folder'], ...rows]
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)))
  return table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}
