import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { catalogue } from '../../plugins/catalogue.ts'
import { enableTypeScript } from '../authoring/enable-typescript.ts'
import { ownCatalogue } from '../authoring/own-catalogue.ts'
import { findPlugins } from '../authoring/plugin-folders.ts'
import { uncompiled } from '../gateway/own-plugins/uncompiled.ts'
import { DEFAULTS } from '../settings/defaults.ts'
import type { Settings } from '../settings/settings.ts'
import { SettingsError } from '../settings/settings-error.ts'

const [DEFAULT_FOLDER] = DEFAULTS.gatewright.plugin_paths

/** Every plugin of this gateway: those of the product and those in `gatewright.plugin_paths`. Throws when a folder cannot be used. */
export async function loadCatalogue({ gatewright }: Settings): Promise<typeof catalogue> {
  const own = await ownCatalogue(existingPaths(gatewright.plugin_paths), catalogue)
  return { ...catalogue, ...(gatewright.workers > 1 ? uncompiled(own) : own) }
}

/** The same for a worker: the user's own apart, and what loading them takes done once, beforehand if asked. */
export function workerPlugins() {
  let enabled: Promise<void> | undefined
  const warm = (): Promise<void> => {
    enabled ??= enableTypeScript()
    return enabled
  }
  const own = ({ gatewright }: Settings) =>
    ownCatalogue(existingPaths(gatewright.plugin_paths), catalogue, warm)
  return { builtIn: catalogue, own, warm }
}

/** The names of all those, without loading one. */
export function pluginNames({ gatewright }: Settings): string[] {
  return [...Object.keys(catalogue), ...findPlugins(existingPaths(gatewright.plugin_paths)).keys()]
}

/** The folders of the user's own plugins. Throws a {@link SettingsError} for one that is not there, unless nobody asked for it. */
export function existingPaths(paths: readonly string[]): string[] {
  const missing = paths.filter((path) => !existsSync(path))
  const asked = missing.filter((path) => basename(path) !== DEFAULT_FOLDER)
  if (asked.length > 0) {
    throw new SettingsError(asked.map((path) => `gatewright.plugin_paths: there is no folder ${path}`))
  }
  return paths.filter((path) => !missing.includes(path))
}
