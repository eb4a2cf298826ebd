import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { describe, it, type TestContext } from 'node:test'
import { createLogger } from '../../../src/observe/logger.ts'
import { MemoryStore } from '../../../src/store/memory-store.ts'
import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { startGateway } from '../../../src/testing/start-gateway.ts'
import { type RawConnection, rawConnect } from '../../support/raw-client.ts'
import { eventually } from '../../support/watch-recording.ts'

/** Each failing row says its seed; `STOP_SEED=7` runs that row alone. */
const SEEDS = process.env['STOP_SEED'] ? [Number(process.env['STOP_SEED'])] : [1, 2, 3, 4, 5, 6, 7, 8]
const STRICT = process.env['GATEWRIGHT_STRICT_TIMES'] === '1'
/** How late a busy machine may be. */
const SLACK_MS = STRICT ? 0 : 8000
/** What ends so close to the deadline may be cut or not; further off on a machine that stalls. */
const BLUR_MS = 250

const HALF = 'x'.repeat(64)

/** Chance that is the same in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Case {
  /** Absent: the settings as they are. */
  readonly shutdown?: { readonly min_drain_ms: number; readonly max_drain_ms: number }
  /** How long each request that is under way at the signal goes on. */
  readonly lengthsMs: readonly number[]
  /** When, after the signal, further ones come that are answered at once: within the time in which the gateway accepts. */
  readonly laterMs: readonly number[]
}

function caseOf(seed: number): Case {
  const random = seeded(seed)
  const upTo = (most: number) => Math.floor(random() * most)
  const min = upTo(500)
  const max = min + 300 + upTo(900)
  return {
    shutdown: { min_drain_ms: min, max_drain_ms: max },
    lengthsMs: Array.from({ length: 1 + upTo(6) }, () => upTo(max + 800)),
    laterMs: Array.from({ length: upTo(4) }, () => upTo(min / 2)),
  }
}

/** A store that can be asked what is in it after the gateway has closed it. */
class Kept extends MemoryStore {
  override close(): Promise<void> {
    return Promise.resolve()
  }
}

const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** What became of a request that was under way: when its node was through with it, and whether its client got all of it. */
interface Outcome {
  readonly endedMs: number
  readonly isWhole: boolean
}

async function stage(t: TestContext, { shutdown }: Case) {
  const held = new Map<string, ServerResponse>()
  const upstream = await fakeUpstream(t, (request, response) => {
    if (request.url!.startsWith('/held/')) {
      response.writeHead(200, { 'content-length': 2 * HALF.length }).write(HALF)
      held.set(request.url!, response)
    } else response.end('ok')
  })
  const store = new Kept({ logger: createLogger('silent') })
  const folder = await mkdtemp(join(tmpdir(), 'gatewright-invariants-'))
  t.after(() => rm(folder, { recursive: true }))
  const log = join(folder, 'access.log')
  const settings = {
    'gatewright.log.access_log': log,
    ...(shutdown && { 'gatewright.shutdown.min_drain_ms': shutdown.min_drain_ms }),
    ...(shutdown && { 'gatewright.shutdown.max_drain_ms': shutdown.max_drain_ms }),
  }
  const route = { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } }
  const gateway = await startGateway(t, { routes: { 1: route } }, { store, settings })
  const instances = async () => (await store.list('/apisix-nodes/')).items.length
  await eventually('it is on the list', async () => (await instances()) === 1, 20_000)
  return { gateway, held, log, instances }
}

/** Lets the node end a request at its time, and sees what its client gets. */
async function follow(
  client: RawConnection,
  response: ServerResponse,
  { lengthMs, sinceMs }: { readonly lengthMs: number; readonly sinceMs: number },
): Promise<Outcome> {
  await Promise.race([later(lengthMs), client.untilClosed()])
  response.end(HALF)
  const endedMs = performance.now() - sinceMs
  const text = await client.untilClosed()
  return { endedMs, isWhole: text.endsWith(`\r\n\r\n${HALF}${HALF}`) }
}

/** Stops a gateway with such requests, and holds what it does against the invariants of systems.md §6.6. */
async function holds(t: TestContext, one: Case): Promise<void> {
  const { gateway, held, log, instances } = await stage(t, one)
  const paths = one.lengthsMs.map((_, index) => `/held/${index}`)
  const clients = await Promise.all(paths.map(() => rawConnect(t, gateway.proxyPort)))
  clients.forEach((client, index) => void client.send(`GET ${paths[index]} HTTP/1.1\r\nHost: a\r\n\r\n`))
  for (const client of clients) await client.until(/x{64}/)
  const { min_drain_ms: minMs, max_drain_ms: maxMs } = one.shutdown ?? { min_drain_ms: 0, max_drain_ms: 9000 }
  const lag = monitorEventLoopDelay({ resolution: 10 })
  lag.enable()
  const sinceMs = performance.now()
  const stopped = gateway.stop()
  const following = one.lengthsMs.map((lengthMs, index) =>
    follow(clients[index]!, held.get(paths[index]!)!, { lengthMs, sinceMs }),
  )
  const answered = await Promise.all(
    one.laterMs.map(async (ms, index) => {
      await later(ms)
      const status = await fetch(`${gateway.proxyUrl}/later/${index}`).then(
        async (answer) => `${answer.status} ${await answer.text()}`,
        () => 'refused',
      )
      // On a machine that was late it may have come when nobody accepted any more.
      const isLate = performance.now() - sinceMs > minMs
      return isLate && status === 'refused' ? undefined : status
    }),
  )
  const outcomes = await Promise.all(following)
  const { forced } = await stopped
  const tookMs = performance.now() - sinceMs

  lag.disable()
  const blurMs = BLUR_MS + (2 * lag.max) / 1e6
  const lost = outcomes.filter(({ endedMs, isWhole }) => endedMs < maxMs - blurMs && !isWhole)
  assert.deepEqual(lost, [], 'I1: what ended before the deadline is whole')
  assert.deepEqual(
    answered.filter((status) => status !== undefined && status !== '200 ok'),
    [],
    'I1: what came in time is answered',
  )
  assert.ok(tookMs < maxMs + 2000 + SLACK_MS, `I2: it took ${tookMs} ms`)
  const longestMs = Math.max(minMs, ...one.lengthsMs)
  assert.ok(tookMs < Math.max(minMs, longestMs) + 1000 + SLACK_MS, `I3: it took ${tookMs} ms`)
  const cut = outcomes.filter(({ isWhole }) => !isWhole).length
  const isCalm = outcomes.every(({ endedMs }) => endedMs < maxMs - blurMs)
  assert.ok(isCalm ? forced === 0 : forced >= cut, `${cut} were cut, and ${forced} counted`)
  const lines = await readFile(log, 'utf8')
  const accepted = answered.flatMap((status, index) => (status === '200 ok' ? [`/later/${index}`] : []))
  for (const path of [...paths, ...accepted])
    assert.equal(lines.split(`"GET ${path} `).length - 1, 1, `I4: ${path} has one line in the access log`)
  assert.equal(await instances(), 0, 'I5: it is off the list')
}

describe('the invariants of a stop (I1 to I5)', { concurrency: 4 }, () => {
  for (const seed of SEEDS) {
    const one = caseOf(seed)
    it(`hold with seed ${seed}: ${JSON.stringify(one)}`, (t) => holds(t, one))
  }

  it('hold with the settings as they are (I6)', (t) => holds(t, { lengthsMs: [0, 120, 700], laterMs: [] }))
})
