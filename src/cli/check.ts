import { describeSettings } from '../settings/describe.ts'
import { loadSettings } from '../settings/load.ts'
import { catalogueWarnings } from './catalogue-warnings.ts'
import type { CliContext, Command } from './command.ts'
import { CONFIG_FLAG, settingsFile } from './config-file.ts'
import { parseFlags } from './flags.ts'
import { nodeWarnings } from './node-warnings.ts'

export const checkCommand: Command = {
  name: 'check',
  summary: 'validate the settings and print every effective value with where it came from',
  help: [
    'gatewright check [-c FILE]',
    '',
    'Validates the settings file and the environment and prints every effective value with where it came from. Secrets are masked.',
    'Binds nothing and writes nothing. Ends with 1 when the settings cannot be used. With a file store (apisix.yaml), it also names the',
    'upstreams whose nodes are spoken to over TLS without their certificates being checked.',
    '',
    '  -c, --config FILE   settings file; config.yaml in the working directory if it is there',
  ].join('\n'),
  run,
}

async function run(args: readonly string[], context: CliContext): Promise<number> {
  const flags = parseFlags(args, CONFIG_FLAG)
  const { env, workingDirectory } = context
  const file = settingsFile(flags.config, workingDirectory)
  const loaded = loadSettings({ file, env, workingDirectory })
  const rows = describeSettings(loaded)
  const width = Math.max(...rows.map(({ path }) => path.length))
  for (const { path, value, source } of rows) context.print(`${path.padEnd(width)}  ${value}  (${source})`)
  if (loaded.ignored.length > 0) context.note(`ignored, without meaning here: ${loaded.ignored.join(', ')}`)
  const { settings } = loaded
  const warnings = await Promise.all([catalogueWarnings(settings), nodeWarnings(settings, env)])
  for (const warning of [...loaded.warnings, ...warnings.flat()]) context.note(`warning: ${warning}`)
  context.note(`${file ?? 'no settings file; the defaults'}: ok`)
  return 0
}
