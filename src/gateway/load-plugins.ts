import { compileValidator } from '../model/validator.ts'
import type { AnyPlugin } from '../plugin/definition.ts'
import { PluginRegistry } from '../plugin/registry.ts'
import { shownValue } from '../settings/describe.ts'
import type { Settings } from '../settings/settings.ts'
import { checkOwnUpstream } from '../snapshot/plugin-upstream.ts'

/** Plugins by name, loaded when they are enabled. */
export type Catalogue = Readonly<Record<string, () => Promise<{ default: AnyPlugin }>>>

/** What the `plugins` key of the settings says. */
export type PluginList = Settings['plugins']

/** A plugin and what `plugin_attr` says of it. */
export interface LoadedPlugin {
  readonly definition: AnyPlugin
  readonly attr: Readonly<Record<string, unknown>>
}

/**
 * Loads what the settings enable. Names that the catalogue does not have are passed over: a settings file written for APISIX
 * lists its whole catalogue, and the command line has warned of them. Throws when a `plugin_attr` is not as its plugin wants it.
 */
export async function loadPlugins(
  catalogue: Catalogue,
  { plugins: enabled, plugin_attr: attributes }: Pick<Settings, 'plugins' | 'plugin_attr'>,
): Promise<PluginRegistry> {
  const names = namesOf(catalogue, enabled)
  const registry = createPluginRegistry()
  for (const { definition, attr } of await loadNamed(catalogue, names, attributes)) {
    registry.register(definition, attr)
  }
  return registry
}

/** Without plugins yet. */
export function createPluginRegistry(): PluginRegistry {
  return new PluginRegistry(checkOwnUpstream)
}

/** The names of the catalogue that a list enables. */
export function namesOf(catalogue: Catalogue, enabled: PluginList): string[] {
  return Object.keys(catalogue).filter((name) => enabled === 'all' || enabled.includes(name))
}

/** Loads these plugins of the catalogue. */
export async function loadNamed(
  catalogue: Catalogue,
  names: readonly string[],
  attributes: Settings['plugin_attr'],
): Promise<LoadedPlugin[]> {
  const modules = await Promise.all(names.map((name) => catalogue[name]!()))
  return modules.map(({ default: definition }) => ({
    definition,
    attr: checkedAttr(definition, attributes[definition.name] ?? {}),
  }))
}

/** With the defaults of the plugin's `attrSchema`. Throws with key and value of what does not fit it. */
function checkedAttr(
  { name, attrSchema }: AnyPlugin,
  attr: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  if (!attrSchema) return attr
  const copy = structuredClone(attr)
  const problem = compileValidator(attrSchema)(copy)
  if (problem !== undefined) throw new Error(attrProblem(name, attr, problem))
  return Object.freeze(copy)
}

const STEP = /^(?:property "([^"]*)" validation failed: |failed to validate item (\d+): )/

/** The validator's message, its steps down into the value turned into the path of a key. */
function attrProblem(plugin: string, attr: unknown, message: string): string {
  let path = `plugin_attr.${plugin}`
  let key = plugin
  let rest = message
  let value = attr
  for (let step = STEP.exec(rest); step; step = STEP.exec(rest)) {
    const [whole, property, position] = step
    const child = property ?? Number(position) - 1
    key = property ?? key
    path += property === undefined ? `[${child}]` : `.${property}`
    value = (value as Record<string | number, unknown> | undefined)?.[child]
    rest = rest.slice(whole.length)
  }
  return `${path}: ${rest}; it is ${shownValue(key, value)}`
}
