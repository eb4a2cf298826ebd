import { VERSION } from '../lib/version.ts'
import type { Command } from './command.ts'
import { parseFlags } from './flags.ts'

export const versionCommand: Command = {
  name: 'version',
  summary: 'print the version',
  help: 'gatewright version\n\nPrints the version of Gatewright and of Node.js.',
  async run(args, { print }) {
    parseFlags(args, {})
    print(`gatewright ${VERSION} (node ${process.versions.node})`)
    return 0
  },
}
