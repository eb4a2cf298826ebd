import { pathToFileURL } from 'node:url'
import limitCount from '../../plugins/limit-count/index.ts'
import { type CompileWorld, compileWorld } from '../support/compile-world.ts'
import { cpuMicroseconds } from './cpu-time.ts'
import { median } from './statistics.ts'

const SIZES = [1000, 100_000]
const CHANGES = 400
const ROUNDS = 5

interface PublishFigures {
  readonly routes: number
  /** CPU time from handing the event over to the new snapshot being served. */
  readonly publishUs: number
  readonly loadMs: number
}

/** What it costs to publish one changed route beside many others: goal, flat within 2×. */
export async function run(): Promise<void> {
  const figures: PublishFigures[] = []
  for (const routes of SIZES) figures.push(await measure(routes))
  const [small, large] = figures
  console.log('\npublish of one changed route (plugin limit-count, inline upstream)')
  for (const { routes, publishUs, loadMs } of figures) {
    console.log(
      `  ${String(routes).padStart(7)} routes: ${publishUs.toFixed(1)} µs CPU a publish, first load ${loadMs.toFixed(0)} ms CPU`,
    )
  }
  console.log(`  ratio ${(large!.publishUs / small!.publishUs).toFixed(2)} (goal: below 2)`)
}

async function measure(routes: number): Promise<PublishFigures> {
  const world = compileWorld([limitCount])
  const startedAt = cpuMicroseconds()
  await world.write(
    Object.fromEntries(Array.from({ length: routes }, (_, i) => [`routes/r${i}`, routeAt(i, 10)])),
  )
  const loadMs = (cpuMicroseconds() - startedAt) / 1000
  const rounds: number[] = []
  for (let round = 0; round < ROUNDS; round++) rounds.push(await publishTime(world, routes, round))
  world.publisher.close()
  return { routes, publishUs: median(rounds), loadMs }
}

async function publishTime(world: CompileWorld, routes: number, round: number): Promise<number> {
  const startedAt = cpuMicroseconds()
  for (let i = 0; i < CHANGES; i++) {
    const index = (i * 7919) % routes
    await world.write({ [`routes/r${index}`]: routeAt(index, 11 + round) })
  }
  return (cpuMicroseconds() - startedAt) / CHANGES
}

function routeAt(index: number, count: number): unknown {
  return {
    uri: index % 2 === 0 ? `/api/v1/service-${index}/items` : `/api/v1/service-${index}/*`,
    host: `host-${index % 50}.example.com`,
    plugins: { 'limit-count': { count, time_window: 60 } },
    upstream: { nodes: { [`10.0.${index % 200}.1:8080`]: 1 } },
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await run()
