import type { Clock } from '../../lib/clock.ts'
import { withinLimit } from '../../lifecycle/deadline.ts'
import type { Link } from '../../lifecycle/workers/link.ts'
import type { ConfigPlace, PluginRegistry } from '../../plugin/registry.ts'

/** A configuration that fits the schema of a plugin which only workers have loaded. */
export type PluginCheck = readonly [plugin: string, config: unknown, place: ConfigPlace]

const TOPIC = 'check'
const LIMIT_MS = 2000

/** In a worker: what a plugin has against a configuration, in the words of contract §1.7. */
export function answerPluginChecks(
  link: Link,
  plugins: () => Pick<PluginRegistry, 'get' | 'check'> | undefined,
): void {
  link.on(TOPIC, ([name, config, place]: PluginCheck) => {
    const registry = plugins()
    // Nothing is null on its way between processes. One that is not there says nothing.
    return (registry?.get(name) && registry.check(name, config, place)) ?? null
  })
}

/** In the primary process: the same, asked of a worker; `undefined` when it has nothing against it, or does not say so in time. */
export async function askPluginCheck(
  link: Link | undefined,
  check: PluginCheck,
  clock: Clock,
): Promise<string | undefined> {
  if (!link) return undefined
  const answer = await withinLimit(() => link.ask<string | null>(TOPIC, check), LIMIT_MS, clock)
  return answer.outcome === 'done' ? (answer.value ?? undefined) : undefined
}
