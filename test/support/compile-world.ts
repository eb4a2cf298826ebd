import { createLogger } from '../../src/observe/logger.ts'
import { createMetricRegistry } from '../../src/observe/metric-registry.ts'
import type { AnyPlugin } from '../../src/plugin/definition.ts'
import { InstanceFactory } from '../../src/plugin/instance.ts'
import { PluginRegistry } from '../../src/plugin/registry.ts'
import { createRouter } from '../../src/router/match.ts'
import type { Router } from '../../src/router/router.ts'
import type { Plan } from '../../src/snapshot/plan.ts'
import { Publisher, type PublisherOptions } from '../../src/snapshot/publisher.ts'
import type { StoreEvent } from '../../src/store/config-store.ts'
import { instanceEnvironment } from '../../src/testing/instance-environment.ts'
import { PoolRegistry } from '../../src/upstream/pool-registry.ts'
import { type ConnectionPool, NO_WARMING } from '../../src/upstream/transport.ts'

/** Everything between a store's events and a snapshot, without sockets. */
export interface CompileWorld {
  readonly publisher: Publisher
  readonly router: Router<Plan>
  readonly instances: InstanceFactory
  readonly pools: PoolRegistry
  readonly metadata: Map<string, Readonly<Record<string, unknown>>>
  readonly plugins: PluginRegistry
  /** Writes documents in one revision and waits until they are published; `undefined` deletes. */
  write(documents: Readonly<Record<string, unknown>>): Promise<void>
  /** The plan that a GET of `path` on `host` meets. */
  match(path: string, host?: string): Plan | undefined
}

const NO_POOL: ConnectionPool = {
  send: () => {
    throw new Error('nothing is sent in this test')
  },
  warm: () => NO_WARMING,
  close: () => undefined,
}

/** Builds it with these plugins; keys of documents are `routes/1`. */
export function compileWorld(
  plugins: readonly AnyPlugin[] = [],
  parts: Pick<PublisherOptions, 'secrets' | 'decrypt' | 'onCompile'> = {},
): CompileWorld {
  const logger = createLogger('silent')
  const registry = new PluginRegistry()
  for (const plugin of plugins) registry.register(plugin)
  const metadata = new Map<string, Readonly<Record<string, unknown>>>()
  const instances = new InstanceFactory(
    instanceEnvironment({
      registry,
      metrics: createMetricRegistry(),
      clock: { now: () => 0, monotonic: () => 0 },
      metadata: (name) => metadata.get(name) ?? registry.defaultMetadata(name),
    }),
  )
  const pools = new PoolRegistry(() => NO_POOL)
  const router = createRouter<Plan>('radixtree_host_uri')
  const publisher = new Publisher({
    prefix: '/apisix',
    environment: {
      plugins: registry,
      instances,
      upstreams: { pools, random: () => 0 },
      clientCertificates: new Map(),
      secrets: parts.secrets ?? { read: () => ({ ok: false, reason: 'no secrets in this test' }) },
    },
    router,
    metadata,
    logger,
    now: () => 0,
    ...parts,
  })
  let revision = 0
  return {
    publisher,
    router,
    instances,
    pools,
    metadata,
    plugins: registry,
    write: async (documents) => {
      revision++
      publisher.onEvents(
        Object.entries(documents).map(([name, value]) => eventOf(name, value, revision)),
        revision,
      )
      await publisher.settled()
    },
    match: (path, host = 'any.test') => {
      const request = {
        path,
        host,
        rawHost: host,
        method: 'GET',
        remoteAddr: '127.0.0.1',
        pathParams: undefined,
      }
      return publisher.current.match({ ...request, var: () => undefined })
    },
  }
}

function eventOf(name: string, value: unknown, revision: number): StoreEvent {
  const key = `/apisix/${name}`
  if (value === undefined) return { type: 'delete', key, modRevision: revision }
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return { type: 'put', item: { key, value: text, createRevision: revision, modRevision: revision } }
}
