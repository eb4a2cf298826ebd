import { loadSettings } from '../settings/load.ts'
import type { Command } from './command.ts'
import { CONFIG_FLAG, settingsFile } from './config-file.ts'
import { parseFlags } from './flags.ts'
import { serve } from './serve.ts'

export const startCommand: Command = {
  name: 'start',
  summary: 'start the gateway',
  help: [
    'gatewright start [-c FILE]',
    '',
    'Starts the gateway and stays in the foreground until SIGTERM, SIGINT or SIGQUIT; requests in flight are then finished first.',
    '',
    '  -c, --config FILE   settings file; config.yaml in the working directory if it is there',
  ].join('\n'),
  async run(args, context) {
    const flags = parseFlags(args, CONFIG_FLAG)
    const { env, workingDirectory } = context
    const file = settingsFile(flags.config, workingDirectory)
    return serve(() => loadSettings({ file, env, workingDirectory }), context)
  },
}
