import { isSelectable, type Serving } from './entries.ts'
import { RegistryError } from './registry-error.ts'
import type { RegistryView } from './view.ts'
import { weightsOf } from './weights.ts'

/** A dry run of a choice. */
export interface Selection {
  readonly strategy: string
  readonly hashKey: string
  /** Ids that are not to be chosen. */
  readonly exclude: readonly string[]
}

export interface Selected {
  readonly id: string
  readonly endpoint: string
  readonly strategy: string
}

/** Picks one of these with the named strategy; `undefined` for a strategy that there is not. */
export type Choose = (
  strategy: string,
  candidates: readonly { readonly address: string; readonly weight: number; readonly priority: number }[],
  hashKey: string,
) => number | undefined

/** Which agent of a type a request would go to. Throws when there is none. */
export function selectAgent(
  view: RegistryView,
  type: string,
  { selection, choose, nowMs }: { selection: Selection; choose: Choose; nowMs: number },
): Selected {
  const all = view.serving(type)
  if (all.length === 0) throw new RegistryError('AGENT_NOT_FOUND', `no agent of type "${type}" is registered`)
  const candidates = all.filter(
    ({ agent, node }) => isSelectable(node) && !selection.exclude.includes(`${agent.type}/${agent.key}`),
  )
  const { strategy, hashKey } = selection
  const weigh = (serving: Serving) => {
    const { weight, dynamic } = weightsOf(serving, nowMs)
    return strategy === 'wrr_dynamic' ? dynamic : weight
  }
  const index = choose(
    strategy,
    candidates.map((serving) => ({
      address: `${serving.agent.type}/${serving.agent.key}`,
      weight: weigh(serving),
      priority: serving.agent.priority,
    })),
    hashKey,
  )
  const chosen = index === undefined ? undefined : candidates[index]
  if (!chosen)
    throw new RegistryError('NO_HEALTHY_NODE', `no agent of type "${type}" can be used at the moment`)
  const { agent, node } = chosen
  return {
    id: `${agent.type}/${agent.key}`,
    endpoint: agent.endpoint ?? node.record.endpoint,
    strategy,
  }
}
