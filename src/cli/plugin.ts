import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { relative, resolve } from 'node:path'
import {
  findPlugins,
  type PluginFolder,
  PluginFolderError,
  testFilesOf,
} from '../authoring/plugin-folders.ts'
import { scaffoldPlugin } from '../authoring/scaffold.ts'
import { DEFAULTS } from '../settings/defaults.ts'
import { loadSettings } from '../settings/load.ts'
import { type CliContext, type Command, UsageError } from './command.ts'
import { CONFIG_FLAG, settingsFile } from './config-file.ts'
import { parseFlags } from './flags.ts'
import { listPlugins, pluginTable } from './list-plugins.ts'
import { existingPaths } from './load-catalogue.ts'

export const pluginCommand: Command = {
  name: 'plugin',
  summary: 'make a plugin of your own, test it, list all',
  help: [
    'gatewright plugin new NAME [--in FOLDER]',
    'gatewright plugin test [NAME] [-c FILE]',
    'gatewright plugin list [--json] [-c FILE]',
    '',
    'new    makes FOLDER/NAME with a plugin, its README and its test; FOLDER is my-plugins when absent, which every start reads.',
    '       For another folder add it to gatewright.plugin_paths in the settings.',
    'test   runs the tests of your plugins, or of one of them, as they are: no build.',
    'list   shows all plugins, built in and your own, in the order in which they run.',
    '',
    '  --in FOLDER         where the folder of the new plugin goes',
    '  -c, --config FILE   settings file that tells where your plugins are; config.yaml when absent',
    '  --json              for programs: a list with name, priority, phases, enabled, own and folder',
  ].join('\n'),
  run,
}

type Action = (args: readonly string[], context: CliContext) => number | Promise<number>

const ACTIONS: Readonly<Record<string, Action>> = { new: makeNew, test: runTests, list: showList }

async function run([action, ...args]: readonly string[], context: CliContext): Promise<number> {
  const act = action === undefined || !Object.hasOwn(ACTIONS, action) ? undefined : ACTIONS[action]
  if (!act)
    throw new UsageError(
      'say what to do: gatewright plugin new NAME, gatewright plugin test, or gatewright plugin list',
    )
  try {
    return await act(args, context)
  } catch (error) {
    if (error instanceof PluginFolderError) throw new UsageError(error.message)
    throw error
  }
}

function makeNew([name, ...args]: readonly string[], context: CliContext): number {
  if (name === undefined || name.startsWith('-'))
    throw new UsageError('the plugin needs a name: gatewright plugin new NAME')
  const parent = parseFlags(args, { in: {} }).in ?? DEFAULTS.gatewright.plugin_paths[0]
  const folder = scaffoldPlugin(name, resolve(context.workingDirectory, parent))
  const shown = relative(context.workingDirectory, folder)
  context.print(
    `${shown} is there. Its test: gatewright plugin test ${name}. Live while you edit it: gatewright dev`,
  )
  return 0
}

async function runTests(args: readonly string[], context: CliContext): Promise<number> {
  const [name, flagArgs] = args[0]?.startsWith('-') ? [undefined, args] : [args[0], args.slice(1)]
  const { env, workingDirectory } = context
  const file = settingsFile(parseFlags(flagArgs, CONFIG_FLAG).config, workingDirectory)
  const { settings } = loadSettings({ file, env, workingDirectory })
  const plugins = findPlugins(existingPaths(settings.gatewright.plugin_paths))
  const meant = name === undefined ? [...plugins.values()] : [pluginNamed(name, plugins)]
  const tests = meant.flatMap(testFilesOf)
  if (tests.length === 0) throw new UsageError('there is no test: no file ends in .test.ts or .test.js')
  return runNodeTests(tests)
}

async function showList(args: readonly string[], context: CliContext): Promise<number> {
  const { env, workingDirectory, print } = context
  const flags = parseFlags(args, { ...CONFIG_FLAG, json: { isSwitch: true } })
  const file = settingsFile(flags.config, workingDirectory)
  const { settings } = loadSettings({ file, env, workingDirectory })
  const plugins = await listPlugins(settings)
  if (flags.json) print(JSON.stringify(plugins, undefined, 2))
  else for (const line of pluginTable(plugins, (folder) => relative(workingDirectory, folder))) print(line)
  return 0
}

function pluginNamed(name: string, plugins: ReadonlyMap<string, PluginFolder>): PluginFolder {
  const plugin = plugins.get(name)
  if (plugin) return plugin
  throw new UsageError(
    `there is no plugin "${name}" of yours; there is: ${[...plugins.keys()].join(', ') || 'none'}`,
  )
}

async function runNodeTests(files: readonly string[]): Promise<number> {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
  const register = new URL(`../authoring/register${extension}`, import.meta.url).href
  const child = spawn(process.execPath, [...process.execArgv, '--import', register, '--test', ...files], {
    stdio: 'inherit',
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}
