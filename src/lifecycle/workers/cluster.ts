import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { cpuTicksOf } from './cpu-time.ts'
import { keepHandOffs } from './hand-offs.ts'
import type { Channel } from './link.ts'
import type { ForkedProcess } from './worker-process.ts'

/** What a worker runs: this program again, told by its first argument. */
export interface WorkerProgram {
  readonly file: string
  readonly args: readonly string[]
}

/** The first word of a worker: from now on it hears what it is told. */
const LISTENING = 'listening'

/** Signals that a terminal sends to the whole group: a worker follows the primary and nobody else (systems.md §6.4). */
const OF_THE_GROUP = ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP', 'SIGUSR2'] as const

/** Makes this process the primary. Connections are handed to the workers in turn: docs/operate/workers.md has the measurement. */
export function becomePrimary({ file, args }: WorkerProgram): () => ForkedProcess {
  cluster.schedulingPolicy = cluster.SCHED_RR
  cluster.setupPrimary({ exec: file, args: [...args], silent: false })
  return () => {
    try {
      const worker = cluster.fork()
      return worker.process.pid === undefined ? stillborn(worker) : forked(worker)
    } catch (error) {
      return unstarted(() => error)
    }
  }
}

/** Of such a worker Node tells an error, soon, and no exit. */
function stillborn(worker: Worker): ForkedProcess {
  let failure: unknown
  worker.on('error', (error) => {
    failure ??= error
  })
  return unstarted(() => failure)
}

/** The system has no room for another process, or does not find the program: as one that has ended, so that it is tried again, later each time. */
function unstarted(failure: () => unknown): ForkedProcess {
  return {
    pid: 0,
    send: (_message, done) => void setImmediate(() => done(new Error('the worker was not started'))),
    onMessage: () => undefined,
    onClose: (listener) => void setImmediate(listener),
    onExit: (listener) => void setImmediate(() => listener(`not started: ${String(failure())}`)),
    kill: () => undefined,
  }
}

function forked(worker: Worker): ForkedProcess {
  keepHandOffs(worker, () => Object.values(cluster.workers ?? {}).some((one) => one?.isConnected()))
  // Sending to one that is just dying fails here; its end is told by `exit`.
  worker.on('error', () => undefined)
  const listening = once(worker, 'message')
  // One that never gets so far is gone, which is told otherwise.
  listening.catch(() => undefined)
  const send: Channel['send'] = (message, done) => {
    if (worker.isConnected()) worker.send(message as object, done)
    else done(new Error('the worker is gone'))
  }
  return {
    pid: worker.process.pid!,
    send: (message, done) => void listening.then(() => send(message, done)),
    onMessage: (listener) => void worker.on('message', listener),
    onClose: (listener) => void worker.once('disconnect', listener),
    onExit: (listener) =>
      void worker.once('exit', (code: number | null, signal: string | null) =>
        listener(signal ?? `exit code ${code}`),
      ),
    kill: () => void worker.process.kill('SIGKILL'),
    cpuTicks: () => cpuTicksOf(worker.process.pid!),
  }
}

/** Whether this process was started by a primary. */
export function isWorker(): boolean {
  return cluster.isWorker
}

/** To be called first in a worker. */
export function ignoreGroupSignals(): void {
  for (const signal of OF_THE_GROUP) {
    process.removeAllListeners(signal)
    process.on(signal, () => undefined)
  }
}

/** The worker's end of the pipe. */
export function channelToPrimary(): Channel {
  return {
    send: (message, done) => {
      if (process.connected) process.send!(message, undefined, {}, done)
      else done(new Error('the primary process is gone'))
    },
    onMessage: (listener) => {
      process.on('message', listener)
      // What came before has been lost.
      process.send!(LISTENING)
    },
    onClose: (listener) =>
      void cluster.worker!.once('disconnect', () => {
        // Else Node ends the process at once, with the requests that it has.
        cluster.worker!.exitedAfterDisconnect = true
        listener()
      }),
  }
}

/** Leaves the primary in good order: what it has handed over meanwhile is handed back. Resolves when nothing connects them any more. */
export async function leavePrimary(): Promise<void> {
  if (!process.connected) return
  const left = once(process, 'disconnect')
  process.disconnect()
  await left
}
