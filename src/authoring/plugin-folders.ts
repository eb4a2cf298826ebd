import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** A plugin of the user's own: a folder with an `index.ts` or `index.js`, called as the plugin is. */
export interface PluginFolder {
  readonly name: string
  readonly folder: string
  readonly entry: string
}

const ENTRIES = ['index.ts', 'index.js']
const NAME = /^[a-z][a-z0-9-]*$/

/** A folder of plugins cannot be used as it is; the text is for people. */
export class PluginFolderError extends Error {
  override readonly name = 'PluginFolderError'
}

/** Whether a plugin may be called that; the words of {@link NAME_RULE} say why not. */
export function isPluginName(name: string): boolean {
  return NAME.test(name)
}

export const NAME_RULE = 'use lower-case letters, digits and dashes, beginning with a letter'

/** The plugins in these folders, by name. Folders that begin with `_` or `.` hold what plugins share. Throws {@link PluginFolderError}. */
export function findPlugins(paths: readonly string[]): ReadonlyMap<string, PluginFolder> {
  const found = new Map<string, PluginFolder>()
  for (const plugin of paths.flatMap(pluginsIn)) {
    const known = found.get(plugin.name)
    if (known) {
      throw new PluginFolderError(
        `plugin "${plugin.name}" is in ${known.folder} and in ${plugin.folder}; take one of them away`,
      )
    }
    found.set(plugin.name, plugin)
  }
  return found
}

/** The files with tests of one plugin. */
export function testFilesOf({ folder }: PluginFolder): string[] {
  return readdirSync(folder)
    .filter((file) => /\.test\.[jt]s$/.test(file))
    .map((file) => join(folder, file))
}

function pluginsIn(path: string): PluginFolder[] {
  return readdirSync(path, { withFileTypes: true })
    .filter((item) => item.isDirectory() && !/^[_.]/.test(item.name) && item.name !== 'node_modules')
    .map(({ name }) => toPlugin(name, join(path, name)))
}

function toPlugin(name: string, folder: string): PluginFolder {
  if (!isPluginName(name))
    throw new PluginFolderError(`${folder}: no plugin can be called "${name}"; ${NAME_RULE}`)
  const entry = ENTRIES.map((file) => join(folder, file)).find((file) => existsSync(file))
  if (entry === undefined) {
    throw new PluginFolderError(
      `${folder} has no index.ts; what is no plugin needs a name that begins with "_"`,
    )
  }
  return { name, folder, entry }
}
