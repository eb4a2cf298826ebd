import type { AnyPlugin } from '../../plugin/definition.ts'

const FACTS = [
  ...([
    'name',
    'priority',
    'schema',
    'consumerSchema',
    'metadataSchema',
    'type',
    'scope',
    'runPolicy',
  ] as const),
  ...(['secretFields', 'hiddenFields', 'consumerKey', 'phases'] as const),
] satisfies (keyof AnyPlugin)[]

/** What a process that never loads a plugin knows of it: all that is plain data. */
export type DescribedPlugin = Pick<AnyPlugin, (typeof FACTS)[number]>

export function describePlugin(plugin: AnyPlugin): DescribedPlugin {
  const facts = FACTS.map((fact) => [fact, plugin[fact]]).filter(([, value]) => value !== undefined)
  return Object.fromEntries(facts) as DescribedPlugin
}

/** Checks configuration as the plugin's schemas say, and does nothing for a request. */
export function definitionOf(described: DescribedPlugin): AnyPlugin {
  return { ...described, compile: () => ({}) }
}
