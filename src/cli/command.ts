import type { ProcessEvents } from '../lifecycle/signals.ts'
import type { ListenAddress, Settings } from '../settings/settings.ts'

/** Where a running gateway listens; what is switched off is absent. */
export interface Addresses {
  readonly tls?: readonly ListenAddress[]
  readonly proxy: readonly ListenAddress[]
  readonly admin?: ListenAddress | undefined
  readonly status?: ListenAddress | undefined
  readonly control?: ListenAddress | undefined
  readonly metrics?: ListenAddress | undefined
}

/** What the command line needs of a gateway. */
export interface LaunchedGateway {
  /** Resolves once everything listens; cleans up behind itself when it rejects. */
  start(): Promise<Addresses>
  /** Drains by its own deadline; resolves with how many pieces of work were cut. */
  stop(reason: string): Promise<{ readonly forced: number }>
  /** Whether an uncaught failure comes from a plugin, and so concerns nothing else; then it has been logged and counted. */
  isContained(error: unknown): boolean
  /** Takes over what can be of the settings that `read` finds; resolves with the keys that wait for the next start. Rejects with what `read` throws. */
  reloadSettings?(read: () => Settings): Promise<readonly string[]>
  /** Replaces all workers without losing a request. Rejects when that is not possible, or when `gate` does, for which each new one waits. */
  swapWorkers?(gate?: () => Promise<void>): Promise<void>
}

/** Where a command writes and what it reads; the process's own, or a test's. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly workingDirectory: string
  /** One line of what was asked for, to standard output. */
  print(line: string): void
  /** One line for people, to standard error: standard output belongs to the logs. */
  note(line: string): void
  /** Signals and uncaught failures. */
  readonly events: ProcessEvents
  /** Makes a gateway that is not started yet. */
  launch(settings: Settings, parts: LaunchParts): Promise<LaunchedGateway>
}

/** What a gateway has from the command line. */
export interface LaunchParts {
  /** Reads the settings' `plugins` again, throwing a `SettingsError` when they cannot be used. */
  readPluginList(): Settings['plugins']
  /** Ends the process in good order. */
  quit(): void
  /** With it own plugins live in workers only and can be swapped. */
  readonly development?: { status(): object } | undefined
}

/** One word of the command line. */
export interface Command {
  readonly name: string
  /** One line for the overview. */
  readonly summary: string
  /** All of the command's own help. */
  readonly help: string
  /** Resolves with the exit code. Throws {@link UsageError} or a `SettingsError` before anything is bound. */
  run(args: readonly string[], context: CliContext): Promise<number>
}

/** The command line was wrong; the message says what to write instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
