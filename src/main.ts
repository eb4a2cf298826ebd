import { launchGateway } from './cli/launch.ts'
import { runCli } from './cli/run-cli.ts'

const exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  workingDirectory: process.cwd(),
  print: (line) => process.stdout.write(`${line}\n`),
  note: (line) => process.stderr.write(`${line}\n`),
  events: process,
  launch: launchGateway,
})
// Explicit, because timers of requests that were cut would keep the process alive.
process.exit(exitCode)
