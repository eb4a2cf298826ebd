/** Where a command writes and what it reads; the process's own, or a test's. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly workingDirectory: string
  /** One line of what was asked for, to standard output. */
  print(line: string): void
  /** One line for people, to standard error: standard output belongs to the logs. */
  note(line: string): void
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
