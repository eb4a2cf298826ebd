// Before anything is loaded: while nothing is open, a signal to stop is a clean end.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
  process.on(signal, () => {
    const isTakenOver = process.listenerCount(signal) > 1
    if (!isTakenOver) process.exit(0)
  })
}

const [{ runCli }, { launchGateway }] = await Promise.all([
  import('./cli/run-cli.ts'),
  import('./cli/launch.ts'),
])
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

export {}
