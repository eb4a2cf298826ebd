import { pathToFileURL } from 'node:url'
import { compileWorld } from '../support/compile-world.ts'

const ROUTES = 20_000

/** Heap per route from stored document to plan, router entry included: goal, below 4 KiB. Needs `--expose-gc`. */
export async function run(): Promise<void> {
  const collect = globalThis.gc
  if (!collect) {
    console.log('\nmemory per route: skipped; run node with --expose-gc')
    return
  }
  const world = compileWorld()
  await world.write({ 'upstreams/u': { nodes: { '10.0.0.1:8080': 1 } } })
  collect()
  const before = process.memoryUsage().heapUsed
  await world.write(
    Object.fromEntries(Array.from({ length: ROUTES }, (_, i) => [`routes/r${i}`, routeAt(i)])),
  )
  collect()
  const bytes = (process.memoryUsage().heapUsed - before) / ROUTES
  console.log(
    `\nmemory per route (${ROUTES} routes with host, uri, methods, own upstream): ${bytes.toFixed(0)} bytes (goal: below 4096)`,
  )
  world.publisher.close()
}

function routeAt(index: number): unknown {
  return {
    uri: index % 2 === 0 ? `/api/v1/service-${index}/items` : `/api/v1/service-${index}/*`,
    host: `host-${index % 50}.example.com`,
    methods: ['GET', 'POST'],
    upstream: { nodes: { [`10.0.${index % 200}.1:8080`]: 1 } },
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await run()
