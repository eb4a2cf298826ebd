import { nearest } from '../lib/nearest.ts'
import type { Settings } from '../settings/settings.ts'

/** Names in `plugins` that this version does not have; one sentence, or none. */
export async function catalogueWarnings(settings: Settings): Promise<string[]> {
  if (settings.plugins === 'all') return []
  const { pluginNames } = await import('./load-catalogue.ts')
  const names = pluginNames(settings)
  const unknown = settings.plugins.filter((name) => !names.includes(name))
  if (unknown.length === 0) return []
  const shown = unknown.map((name) => {
    const meant = nearest(name, names)
    return meant ? `${name} (did you mean ${meant}?)` : name
  })
  return [`plugins that this version does not have: ${shown.join(', ')}`]
}
