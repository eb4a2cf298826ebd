import assert from 'node:assert/strict'
import { after } from 'node:test'
import { createPluginRegistry } from '../gateway/load-plugins.ts'
import { compileValidator } from '../model/validator.ts'
import { createMetricRegistry } from '../observe/metric-registry.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import type { FoundConsumer, RouteView } from '../plugin/context/request-context.ts'
import type { AnyPlugin, PhaseName, StoredProto } from '../plugin/definition.ts'
import { type Instance, InstanceFactory } from '../plugin/instance.ts'
import type { NodeOperations, WorkerOperations } from '../plugin/node-operations.ts'
import { instanceEnvironment } from './instance-environment.ts'
import { type LeakWatch, watchLeaks } from './leak-watch.ts'
import { type Answer, type RequestInit, runRequest } from './plugin-request.ts'

export interface MountedConsumer {
  readonly username: string
  readonly labels?: Record<string, string>
  readonly plugins: Readonly<Record<string, Record<string, unknown>>>
}

export interface MountOptions {
  readonly consumers?: readonly MountedConsumer[]
  /** `plugin_attr.<name>`. */
  readonly attr?: Record<string, unknown>
  /** Port of the first TLS listener; default: there is none. */
  readonly httpsPort?: number
  /** `metric_prefix` of the plugin prometheus; default: `apisix_`. */
  readonly metricPrefix?: string
  /** Authorities in PEM, as `apisix.ssl.ssl_trusted_certificate` names them; default: those of Node.js. */
  readonly trustedCertificates?: string
  /** Stored plugin metadata; its schema's defaults are filled in. */
  readonly metadata?: Record<string, unknown>
  /** The route that carries the configuration. */
  readonly route?: Partial<RouteView>
  /** Plugins whose configuration may stand inside this one's. */
  readonly others?: readonly AnyPlugin[]
  /** Ids of upstreams that are configured; a request shows what was chosen in `answer.context.chosenUpstream`. */
  readonly upstreams?: readonly string[]
  /** Stored protos by id. */
  readonly protos?: Readonly<Record<string, StoredProto>>
  /** Share another mount's clock, metrics and node-wide state, as two resources of one gateway do. */
  readonly beside?: MountedPlugin
}

/** A plugin under test: the real validator, the real compile, the real phases; the clock stands until it is advanced. */
export interface MountedPlugin {
  /** Sends one request through all phases. Rejects when a phase throws, instead of hiding it behind a 500. */
  request(init?: RequestInit): Promise<Answer>
  /** Compiles another configuration of the plugin, which then runs after the first ones in every request. */
  add(config: Record<string, unknown>): void
  advance(ms: number): void
  setMetadata(metadata: Record<string, unknown>): void
  readonly metrics: MetricRegistry
  readonly clock: { now(): number; monotonic(): number; advance(ms: number): void }
  readonly nodeOperations: NodeOperations
  readonly workerOperations: WorkerOperations
  /** Disposes all instances; fails when something they started is still there. Called at the end of the file at the latest. */
  dispose(): Promise<void>
}

const ROUTE: RouteView = {
  id: 'r1',
  name: undefined,
  serviceId: undefined,
  serviceName: undefined,
  uri: '/*',
  host: undefined,
}
/** 2026-01-01T00:00:00Z: a fixed day, at the start of every window that divides a day. */
const START = Date.UTC(2026, 0, 1)
const mounted = new Set<Mounted>()

after(async () => {
  for (const one of [...mounted]) await one.dispose()
})

/** Mounts `plugin` with `config`, throwing the text of contract §1.7 when the configuration is refused. */
export function mountPlugin(
  plugin: AnyPlugin,
  config: Record<string, unknown>,
  options: MountOptions = {},
): MountedPlugin {
  const one = new Mounted(plugin, options)
  one.add(config)
  mounted.add(one)
  return one
}

/** The text with which the configuration is refused, as the admin API shows it, or `undefined`. */
export function refusal(plugin: AnyPlugin, config: unknown, place: 'resource' | 'consumer' = 'resource') {
  const registry = createPluginRegistry()
  registry.register(plugin)
  return registry
    .check(plugin.name, config, place)
    ?.replace(`failed to check the configuration of plugin ${plugin.name} err: `, '')
}

class FakeWallClock {
  #elapsedMs = 0
  now = () => START + this.#elapsedMs
  monotonic = () => 1000 + this.#elapsedMs
  advance(ms: number) {
    this.#elapsedMs += ms
  }
}

class Mounted implements MountedPlugin {
  readonly metrics: MetricRegistry
  readonly clock: MountedPlugin['clock']
  readonly nodeOperations: NodeOperations
  readonly workerOperations: WorkerOperations
  readonly #plugin: AnyPlugin
  readonly #registry = createPluginRegistry()
  readonly #environment: ReturnType<typeof instanceEnvironment>
  readonly #factory: InstanceFactory
  readonly #watch: LeakWatch = watchLeaks()
  readonly #route: RouteView
  readonly #options: MountOptions
  readonly #instances: Instance[] = []
  readonly #errors: unknown[] = []
  #metadata: Readonly<Record<string, unknown>> = {}

  constructor(plugin: AnyPlugin, options: MountOptions) {
    this.#plugin = plugin
    this.#options = options
    this.#route = { ...ROUTE, ...options.route }
    this.clock = options.beside?.clock ?? new FakeWallClock()
    this.metrics = options.beside?.metrics ?? createMetricRegistry({ now: this.clock.monotonic })
    const attr = withDefaults(plugin, options.attr ?? {})
    this.#registry.register(plugin, attr)
    for (const other of options.others ?? []) this.#registry.register(other)
    this.setMetadata(options.metadata ?? {})
    this.#environment = instanceEnvironment({
      registry: this.#registry,
      metrics: this.metrics,
      metricPrefix: options.metricPrefix,
      trustedCertificates: options.trustedCertificates,
      clock: this.clock,
      attr: () => attr,
      metadata: (name) => (name === plugin.name ? this.#metadata : this.#registry.defaultMetadata(name)),
      httpsPort: options.httpsPort,
      upstreams: options.upstreams,
      protos: options.protos,
      nodeOperations: options.beside?.nodeOperations,
      workerOperations: options.beside?.workerOperations,
      onFailure: (error) => void this.#errors.push(error),
    })
    this.nodeOperations = this.#environment.nodeOperations
    this.workerOperations = this.#environment.workerOperations
    this.#factory = new InstanceFactory(this.#environment)
  }

  async request(init: RequestInit = {}): Promise<Answer> {
    const consumers = {
      findConsumer: (plugin: string, key: string) => this.#findConsumer(plugin, key),
      findConsumerByName: (name: string) => this.#consumerNamed(name),
    }
    const answer = await this.#watch.during(() =>
      runRequest(init, {
        instances: this.#instances,
        consumers,
        monotonic: this.clock.monotonic,
        report: ({ error }) => void this.#errors.push(error),
        defaultRoute: this.#route,
      }),
    )
    const [error] = this.#errors.splice(0)
    if (error) throw error
    return answer
  }

  add(config: Record<string, unknown>): void {
    const prepared = this.#registry.prepare(this.#plugin.name, config, 'resource')
    const owner = { kind: 'routes', id: this.#route.id } as const
    const instance = this.#watch.during(() => this.#factory.create(prepared, owner))
    this.#instances.push(instance)
    assertDeclared(instance)
  }

  advance(ms: number): void {
    this.clock.advance(ms)
  }

  setMetadata(metadata: Record<string, unknown>): void {
    this.#metadata = this.#registry.prepareMetadata(this.#plugin.name, metadata)
  }

  async dispose(): Promise<void> {
    mounted.delete(this)
    for (const instance of this.#instances) await this.#factory.dispose(instance)
    await this.#environment.close()
    // Handles report their end in a later turn of the event loop.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    this.#watch.stop()
    const { name } = this.#plugin
    assert.equal(this.#factory.size, 0, `instances of ${name} are still alive`)
    const left = this.#watch.leftovers()
    assert.deepEqual(left, [], `${name} left ${left.join(', ')} behind; hand their release to host.own`)
  }

  #findConsumer(plugin: string, key: string): FoundConsumer | undefined {
    const field = this.#registry.get(plugin)?.consumerKey
    const found = this.#options.consumers?.find(
      ({ plugins }) => field !== undefined && plugins[plugin]?.[field] === key,
    )
    return found && this.#found(found, plugin)
  }

  #consumerNamed(name: string): FoundConsumer | undefined {
    const found = this.#options.consumers?.find(({ username }) => username === name)
    return found && this.#found(found, this.#plugin.name)
  }

  #found({ username, labels, plugins }: MountedConsumer, plugin: string): FoundConsumer {
    const config = plugins[plugin]
    return {
      view: { name: username, groupId: undefined, labels, credentialId: undefined },
      // With the defaults of its schema, and the same object each time, as in a snapshot.
      config: config ? this.#registry.prepare(plugin, config, 'consumer').config : {},
    }
  }
}

/** What nobody declares is not shown to those who ask in which order plugins run. */
function assertDeclared({ plugin: { name, phases: declared }, phases }: Instance): void {
  for (const phase of Object.keys(phases) as PhaseName[]) {
    if (!declared || !phases[phase] || declared.includes(phase)) continue
    throw new Error(`${name} has the phase "${phase}", which its "phases" lack: ${declared.join(', ')}`)
  }
}

/** What the gateway's start makes of `plugin_attr`. */
function withDefaults({ attrSchema }: AnyPlugin, attr: Record<string, unknown>): Record<string, unknown> {
  const copy = structuredClone(attr)
  const problem = attrSchema && compileValidator(attrSchema)(copy)
  if (problem !== undefined) throw new Error(problem)
  return copy
}
