import { PluginFolderError } from '../authoring/plugin-folders.ts'
import { nearest } from '../lib/nearest.ts'
import { SettingsError } from '../settings/settings-error.ts'
import { checkCommand } from './check.ts'
import { type CliContext, type Command, UsageError } from './command.ts'
import { devCommand } from './dev.ts'
import { pluginCommand } from './plugin.ts'
import { startCommand } from './start.ts'
import { versionCommand } from './version.ts'

const COMMANDS: readonly Command[] = [startCommand, devCommand, pluginCommand, checkCommand, versionCommand]
const HELP_WORDS = ['help', '--help', '-h']
const VERSION_FLAGS = ['--version', '-v']

/** Runs one command line, without the words for node and script; resolves with the exit code and never rejects. */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  try {
    return await dispatch(args, context)
  } catch (error) {
    for (const line of errorLines(error)) context.note(line)
    return 1
  }
}

async function dispatch([word, ...args]: readonly string[], context: CliContext): Promise<number> {
  if (word === undefined) {
    context.note(overview())
    return 1
  }
  if (VERSION_FLAGS.includes(word)) return versionCommand.run(args, context)
  if (HELP_WORDS.includes(word)) {
    context.print(args[0] === undefined ? overview() : commandNamed(args[0]).help)
    return 0
  }
  const command = commandNamed(word)
  if (args.some((arg) => arg === '--help' || arg === '-h')) {
    context.print(command.help)
    return 0
  }
  return command.run(args, context)
}

function commandNamed(word: string): Command {
  const command = COMMANDS.find(({ name }) => name === word)
  if (command) return command
  const names = COMMANDS.map(({ name }) => name)
  const meant = nearest(word, [...names, 'help'])
  throw new UsageError(
    `unknown command "${word}"; ${meant ? `did you mean "${meant}"?` : `use ${names.join(', ')}`}`,
  )
}

function overview(): string {
  return [
    'gatewright COMMAND',
    '',
    ...COMMANDS.map(({ name, summary }) => `  ${name.padEnd(9)} ${summary}`),
    `  ${'help'.padEnd(9)} show this, or the help of a command`,
    '',
    'Settings: docs/reference/config.md',
  ].join('\n')
}

function errorLines(error: unknown): readonly string[] {
  if (error instanceof SettingsError) return error.problems
  if (error instanceof PluginFolderError) return error.message.split('\n')
  if (error instanceof UsageError) return [error.message, 'see: gatewright help']
  return [`unexpected failure: ${error instanceof Error ? error.stack : String(error)}`]
}
