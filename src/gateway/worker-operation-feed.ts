import type { Clock } from '../lib/clock.ts'
import { withinLimit } from '../lifecycle/deadline.ts'
import type { Link } from '../lifecycle/workers/link.ts'
import type { WorkerProcess } from '../lifecycle/workers/worker-process.ts'
import type { AnyPlugin, WorkerOperation } from '../plugin/definition.ts'
import { assertDeclared, type LocalOperations, type WorkerOperations } from '../plugin/node-operations.ts'

type Call = readonly [plugin: string, operation: string, argument: unknown]

/** Of one worker: nothing when it does not know the operation. */
type Answer = readonly [result: unknown] | readonly []

/** From a worker to the primary process. */
const IN_ALL = 'in-all-workers'
/** From there to each worker. */
const HERE = 'in-this-worker'
/** Longer than a worker may hang before it is killed: who has not answered by then is busy with this very operation. */
const LIMIT_MS = 5000

/** In the primary process: has an operation that one worker asks for run in all that have compiled the configuration. */
export function spreadWorkerOperations(
  link: Link,
  workers: () => Iterable<Pick<WorkerProcess, 'link' | 'pid' | 'state'>>,
  clock: Clock,
): void {
  link.on(IN_ALL, async (call: Call) => {
    const ready = [...workers()].filter(({ state }) => state !== 'starting' && state !== 'gone')
    const answers = await Promise.all(ready.map((worker) => ask(worker, call, clock)))
    return answers.flat()
  })
}

async function ask(
  { link, pid }: Pick<WorkerProcess, 'link' | 'pid'>,
  call: Call,
  clock: Clock,
): Promise<Answer> {
  const answer = await withinLimit(() => link.ask<Answer>(HERE, call), LIMIT_MS, clock)
  if (answer.outcome === 'done') return answer.value
  // What it kept has gone with it.
  if (link.isClosed) return []
  if (answer.outcome === 'failed') throw answer.error
  throw new Error(`worker ${pid} did not run ${call[0]}/${call[1]} within ${LIMIT_MS} ms`)
}

/** In a worker: runs what it is told to, once it has plugins. */
export function answerWorkerOperations(
  link: Link,
  parts: () =>
    | { find(plugin: string): AnyPlugin | undefined; readonly operations: LocalOperations }
    | undefined,
): void {
  link.on(HERE, async ([name, operation, argument]: Call): Promise<Answer> => {
    const own = parts()
    const plugin = own?.find(name)
    // A worker of another generation may have an older version of it, or none.
    if (!own || !plugin?.workerOperations?.[operation]) return []
    return [await own.operations.bind(plugin, operation)(argument as never)]
  })
}

/** In a worker: has operations run in all workers of the node. */
export function relayedWorkerOperations(link: Link): WorkerOperations {
  return {
    bind: (plugin, name): WorkerOperation => {
      assertDeclared(plugin, 'workerOperations', name)
      return (argument) => link.ask(IN_ALL, [plugin.name, name, argument] satisfies Call)
    },
  }
}
