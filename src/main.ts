import cluster from 'node:cluster'

// Before anything is loaded: while nothing is open, a signal to stop is a clean end. A worker ends when its primary process says so.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
  process.on(signal, () => {
    const isTakenOver = process.listenerCount(signal) > 1
    if (!isTakenOver && !cluster.isWorker) process.exit(0)
  })
}

// Whoever read what is written there has gone; to end because of that, or to say so there, would help nobody.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

// Explicit, because timers of requests that were cut would keep the process alive.
process.exit(await (cluster.isWorker ? work() : serve()))

async function work(): Promise<number> {
  const { launchWorker } = await import('./cli/launch.ts')
  return launchWorker()
}

async function serve(): Promise<number> {
  const [{ runCli }, { launchGateway }] = await Promise.all([
    import('./cli/run-cli.ts'),
    import('./cli/launch.ts'),
  ])
  return runCli(process.argv.slice(2), {
    env: process.env,
    workingDirectory: process.cwd(),
    print: (line) => process.stdout.write(`${line}\n`),
    note: (line) => process.stderr.write(`${line}\n`),
    events: process,
    launch: launchGateway,
  })
}
