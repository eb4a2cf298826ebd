import type { LifecycleSource, QuitSource } from '../control/lifecycle.ts'
import type { ComponentStates } from '../lifecycle/component-states.ts'
import type { Drain } from '../lifecycle/drain.ts'
import type { Readiness } from '../lifecycle/readiness.ts'
import type { Settings } from '../settings/settings.ts'

interface LifecycleParts {
  readonly readiness: Readiness
  readonly drain: Drain
  readonly states: ComponentStates
}

/** Where the process is between its start and its end, for the control API. */
export function shownLifecycle({ readiness, drain, states }: LifecycleParts): LifecycleSource {
  const { mode, acknowledged, forced } = drain
  const running = readiness.wasReady ? 'running' : 'starting'
  return {
    phase: readiness.isDraining ? 'draining' : running,
    notReady: readiness.isDraining ? ['draining'] : readiness.reasons(),
    components: states.list(),
    ...(mode && { drain: { mode, acknowledged, pending: drain.pending(), forced } }),
  }
}

/** Who may stop the process over the control API: nobody unless the settings say so; then whose admin key is limited to nothing. */
export function quitSource(
  { gatewright, deployment }: Settings,
  quit: (() => void) | undefined,
): QuitSource | undefined {
  if (!gatewright.shutdown.quit_enabled || !quit) return undefined
  const owners = deployment.admin.admin_key.filter(({ role, scope }) => role === 'admin' && !scope)
  return { keys: owners.map(({ key }) => key), quit }
}
