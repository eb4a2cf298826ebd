import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type SpawnedNode, spawnNode } from '../support/spawn-node.ts'
import { eventually } from '../support/watch-recording.ts'
import { type SteadyLoad, steadyLoad } from './steady-load.ts'

export interface SwapsOptions {
  readonly requests: number
  readonly swaps: number
  readonly changes: number
  /** It is given up, and says so, after this. */
  readonly limitMs: number
}

export interface SwapsResult {
  readonly sent: number
  readonly failed: number
  readonly failures: readonly string[]
  readonly swaps: number
  readonly changes: number
  readonly seconds: number
}

const FULL: SwapsOptions = { requests: 300_000, swaps: 10, changes: 50, limitMs: 1_500_000 }
const SWAP_LIMIT_MS = 120_000
const WORKERS = 2

/** What a test, or the process below, has to offer: a place for what is to be undone. */
export interface Scope {
  after(undo: () => void | Promise<void>): void
}

/**
 * A node with two workers under load, all whose workers are replaced and whose configuration is changed meanwhile, evenly over the requests. A
 * change counts from the moment its write is answered: an older answer to a request sent later is a failed one.
 */
export async function swapUnderLoad(scope: Scope, options: SwapsOptions): Promise<SwapsResult> {
  const startedAt = performance.now()
  const upstream = await echoServer(scope)
  const node = await spawnNode(scope, { workers: WORKERS })
  let applied = 0
  let isAllDone = false
  await change(node, upstream, applied)
  const load = steadyLoad({
    url: node.proxyUrl,
    keptConnections: 10,
    freshLanes: 3,
    total: options.requests,
    // On a machine that is slower at changes than at requests.
    mayEnd: () => isAllDone,
    mark: () => applied,
    check: (headers, sentAt) =>
      Number(headers['x-change']) >= sentAt
        ? undefined
        : `answered by change ${headers['x-change']}, and ${sentAt} was in force`,
  })
  scope.after(() => load.stop())
  const limit = setTimeout(() => load.stop(), options.limitMs)
  const changes = paced(load, options, options.changes, async (index) => {
    await change(node, upstream, index)
    applied = index
  })
  const swaps = paced(load, options, options.swaps, (index) => swap(node, index + 1))
  const acts = Promise.all([changes, swaps]).finally(() => {
    isAllDone = true
  })
  const [counts] = await Promise.all([acts, load.done]).finally(() => {
    clearTimeout(limit)
    load.stop()
  })
  return {
    ...{ sent: load.sent, failed: load.failed, failures: load.failures },
    ...{ changes: counts[0], swaps: counts[1], seconds: (performance.now() - startedAt) / 1000 },
  }
}

/** Does `act` `times` times, evenly over the requests, one after the other; resolves with how often it came to it. */
async function paced(
  load: SteadyLoad,
  { requests, limitMs }: SwapsOptions,
  times: number,
  act: (index: number) => Promise<void>,
): Promise<number> {
  let isOver = false
  void load.done.then(() => (isOver = true))
  for (let index = 1; index <= times; index++) {
    // Half a step before the last request, so that there is load for the last one too.
    const due = ((index - 0.5) / times) * requests * 0.95
    await eventually(`${due} requests are sent`, () => isOver || load.sent >= due, limitMs)
    if (isOver) return index - 1
    await act(index)
  }
  return times
}

/** Rewrites the route that the load goes through: another answer header, another timeout, now and then another balancer. */
async function change(node: SpawnedNode, upstream: string, index: number): Promise<void> {
  await node.route('load', {
    uri: '/*',
    plugins: { 'response-rewrite': { headers: { set: { 'x-change': String(index) } } } },
    upstream: {
      type: index % 3 === 0 ? 'least_conn' : 'roundrobin',
      nodes: { [upstream]: 1 + (index % 5) },
      timeout: { connect: 5, send: 20 + index, read: 20 + index },
    },
  })
}

async function swap(node: SpawnedNode, generation: number): Promise<void> {
  node.signal('SIGUSR2')
  await eventually(
    'all workers are new',
    async () => {
      const serving = (await node.workers()).filter(({ state }) => state === 'serving')
      return serving.length === WORKERS && serving.every((worker) => worker.generation === generation)
    },
    SWAP_LIMIT_MS,
  )
}

async function echoServer(scope: Scope): Promise<string> {
  const server = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
    if (request.method === 'GET') response.end('small')
    else request.pipe(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  scope.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** What a run has come to, in a line, and the failures below it. */
export function linesOf({ sent, failed, failures, swaps, changes, seconds }: SwapsResult): string[] {
  const over = `over ${swaps} swaps of all workers and ${changes} changes of configuration under load`
  return [`${failed} failed requests of ${sent} ${over} (${Math.round(seconds)} s)`, ...failures]
}

/** For `npm run bench -- --only swaps`. Rejects when a request failed, or when there was no time for all. */
export async function run(options: SwapsOptions = FULL): Promise<void> {
  const undo: (() => void | Promise<void>)[] = []
  // The gateway is a process of its own, and would outlive this one.
  const atExit = () => undo.forEach((one) => void one())
  process.once('exit', atExit)
  try {
    const result = await swapUnderLoad({ after: (one) => void undo.push(one) }, options)
    for (const line of linesOf(result)) console.log(line)
    const isWhole = result.swaps === options.swaps && result.changes === options.changes
    if (result.failed > 0 || !isWhole || result.sent < options.requests) {
      throw new Error(`swaps: ${result.failed > 0 ? 'requests failed' : 'not all was done in time'}`)
    }
  } finally {
    process.off('exit', atExit)
    for (const one of undo.reverse()) await one()
  }
}
