import type { AnyPlugin } from '../plugin/definition.ts'
import { PluginRegistry } from '../plugin/registry.ts'

/** Plugins by name, loaded when they are enabled. */
export type Catalogue = Readonly<Record<string, () => Promise<{ default: AnyPlugin }>>>

/**
 * Loads what the settings enable. Names that the catalogue does not have are passed over: a settings file written for APISIX
 * lists its whole catalogue, and the command line has warned of them.
 */
export async function loadPlugins(
  catalogue: Catalogue,
  enabled: readonly string[] | 'all',
): Promise<PluginRegistry> {
  const names = Object.keys(catalogue).filter((name) => enabled === 'all' || enabled.includes(name))
  const modules = await Promise.all(names.map((name) => catalogue[name]!()))
  const registry = new PluginRegistry()
  for (const module of modules) registry.register(module.default)
  return registry
}
