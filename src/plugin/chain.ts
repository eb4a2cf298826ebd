import { namesBodyVariable } from './context/body-variables.ts'
import type { PhaseName } from './definition.ts'
import type { Instance } from './instance.ts'

/** Instances that define the phase, in the order they run. */
export type Steps = readonly Instance[]

/** What runs for a request, one frozen array per phase; made when configuration is compiled. */
export interface Chain {
  readonly instances: Steps
  readonly rewrite: Steps
  readonly access: Steps
  readonly beforeProxy: Steps
  readonly tapBody: Steps
  readonly headerFilter: Steps
  readonly bodyFilter: Steps
  readonly packBody: Steps
  readonly log: Steps
  /** Whether a configuration names variables that are read from the body of the request. */
  readonly needsBody: boolean
}

/** Sorts by priority, highest first; equal priorities keep the order of the plugin names, so that the walk is deterministic. */
export function buildChain(instances: readonly Instance[]): Chain {
  const sorted = Object.freeze([...instances].sort(byPriority))
  const of = (phase: PhaseName): Steps => Object.freeze(sorted.filter((instance) => instance.phases[phase]))
  return Object.freeze({
    instances: sorted,
    rewrite: of('rewrite'),
    access: of('access'),
    beforeProxy: of('beforeProxy'),
    tapBody: of('tapBody'),
    headerFilter: of('headerFilter'),
    bodyFilter: of('bodyFilter'),
    packBody: of('packBody'),
    log: of('log'),
    needsBody: sorted.some(({ fingerprint }) => namesBodyVariable(fingerprint)),
  })
}

export const EMPTY_CHAIN: Chain = buildChain([])

function byPriority(a: Instance, b: Instance): number {
  return b.priority - a.priority || (a.plugin.name < b.plugin.name ? -1 : 1)
}
