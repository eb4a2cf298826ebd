import { SYSTEM_CLOCK } from '../lib/clock.ts'
import { type RunProblem, runUntilStopped } from '../lifecycle/run-until-stopped.ts'
import { resolveAdminKey } from '../settings/admin-key.ts'
import type { LoadedSettings } from '../settings/load.ts'
import type { Settings } from '../settings/settings.ts'
import { SettingsError } from '../settings/settings-error.ts'
import { addressLines, keyNotice, noticesOf, takenPortLine } from './announce.ts'
import { catalogueWarnings } from './catalogue-warnings.ts'
import type { Addresses, CliContext, LaunchedGateway } from './command.ts'

/** A gateway stops by its own deadline; this much later it is taken for hung. */
const AFTER_DRAIN_MS = 1500
const FAST_STOP_MS = 2000

export interface ServeHooks {
  /** Called once the gateway listens, before it is announced. A throw ends the start. */
  afterStart?(addresses: Addresses, settings: Settings): Promise<void>
  /** Own plugins that are edited while the gateway runs; `reload` swaps the workers. Made before the gateway. */
  develop?(settings: Settings, reload: (gate: () => Promise<void>) => Promise<void>): DevelopedPlugins
  /** Lines to add below the addresses. */
  readonly closingLines?: (addresses: Addresses) => readonly string[]
}

/** What serves and ends with the gateway. */
export interface DevelopedPlugins {
  status(): object
  start(): void
  close(): Promise<void>
}

/**
 * Runs a gateway with the settings that `load` reads until it is told to stop; resolves with the exit code. They are read again for
 * the list of plugins when that is reloaded.
 */
export async function serve(
  load: () => LoadedSettings,
  context: CliContext,
  hooks: ServeHooks = {},
): Promise<number> {
  const loaded = load()
  const { settings, generated } = resolveAdminKey(loaded.settings)
  for (const notice of noticesOf(loaded)) context.note(notice)
  for (const warning of await catalogueWarnings(settings)) context.note(`warning: ${warning}`)
  // Before anything can fail: the next start would not show a key that exists by then.
  if (generated) context.note(keyNotice(generated))

  let gateway: LaunchedGateway | undefined
  let quit = () => {}
  const asked = new Promise<string>((resolve) => {
    quit = () => resolve('quitquitquit')
  })
  const swap = async (gate?: () => Promise<void>): Promise<void> => {
    if (!gateway?.swapWorkers) throw new Error('there is no gateway yet')
    await gateway.swapWorkers(gate)
  }
  const developed = hooks.develop?.(settings, swap)
  const start = async (): Promise<void> => {
    gateway = await context.launch(settings, {
      readPluginList: () => load().settings.plugins,
      quit,
      development: developed,
    })
    const addresses = await gateway.start()
    await hooks.afterStart?.(addresses, settings)
    const lines = [...addressLines(addresses, settings), ...(hooks.closingLines?.(addresses) ?? [])]
    for (const line of lines) context.note(line)
    developed?.start()
  }
  const stop = async (reason: string): Promise<{ readonly forced: number }> => {
    const closed = developed?.close()
    const stopped = await gateway?.stop(reason)
    await closed
    return stopped ?? { forced: 0 }
  }
  const reload = async (): Promise<readonly string[]> => {
    if (!gateway?.reloadSettings) throw new Error('there is no gateway yet')
    return gateway.reloadSettings(() => resolveAdminKey(load().settings).settings)
  }
  const unwatch = onReplacingSignals(context, { swap, reload })
  return runUntilStopped(
    { start, stop },
    {
      events: context.events,
      clock: SYSTEM_CLOCK,
      hardStopMs: settings.gatewright.shutdown.max_drain_ms + AFTER_DRAIN_MS,
      fastStopMs: FAST_STOP_MS,
      asked,
      isContained: (error) => gateway?.isContained(error) ?? false,
      onProblem: (problem) => context.note(problemLine(problem, settings)),
    },
  ).finally(unwatch)
}

interface Replacing {
  swap(): Promise<void>
  reload(): Promise<readonly string[]>
}

/** SIGUSR2 replaces the workers, which in a process that does everything changes nothing; SIGHUP reads the settings again. */
function onReplacingSignals({ events, note }: CliContext, { swap, reload }: Replacing): () => void {
  const onSwap = (): void => {
    swap().then(
      () => note('all workers were replaced'),
      (error: Error) => note(`the workers were not replaced: ${error.message}`),
    )
  }
  const onReload = (): void => {
    reload().then(
      (waiting) => {
        note('the settings were read again')
        if (waiting.length > 0) note(`these count from the next start on: ${waiting.join(', ')}`)
      },
      (error: Error) => {
        const problems = error instanceof SettingsError ? error.problems : [error.message]
        for (const problem of problems) note(`the settings were not taken over: ${problem}`)
      },
    )
  }
  events.on('SIGUSR2', onSwap)
  events.on('SIGHUP', onReload)
  return () => {
    events.off('SIGUSR2', onSwap)
    events.off('SIGHUP', onReload)
  }
}

function problemLine({ kind, error }: RunProblem, settings: Settings): string {
  const takenPort = kind === 'start' ? takenPortLine(error, settings) : undefined
  if (takenPort !== undefined) return takenPort
  const what = {
    start: 'the gateway cannot start',
    stop: 'the stop was not clean',
    uncaught: 'uncaught failure',
  }[kind]
  const cause = error instanceof Error ? (kind === 'uncaught' ? error.stack : error.message) : String(error)
  return `${what}: ${cause}`
}
