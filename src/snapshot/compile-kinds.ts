import { compileExpression } from '../expr/compile.ts'
import type { Kind, Ref } from '../model/kind.ts'
import type { Consumer, Documents, PluginConfigs, Route, Service } from '../model/types.ts'
import type { ConsumerView } from '../plugin/context/request-context.ts'
import type { RouteEntry } from '../router/router.ts'
import { readTimeouts, type TimeoutsMs } from '../upstream/spec.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { type CompileEnvironment, compileInstances, compileUpstream } from './compile-parts.ts'
import { type CompiledSsl, compileSsl } from './compile-ssl.ts'
import type { Credential, IndexedConsumer } from './consumers.ts'
import { compileFilterFunction } from './filter-function.ts'
import type { InstanceMap } from './merge.ts'
import type { Transaction } from './transaction.ts'

/** Anything that carries plugins. */
export interface CompiledOwner {
  readonly instances: InstanceMap
}

export interface CompiledService extends CompiledOwner {
  readonly upstream: Upstream | undefined
}

/** A route's part of the router's entry; hosts and target come with its service and its plan. */
export type RouteMatcher = Pick<
  RouteEntry<unknown>,
  'uris' | 'methods' | 'remoteAddrs' | 'priority' | 'vars' | 'filter'
>

export interface CompiledRoute extends CompiledOwner {
  readonly upstream: Upstream | undefined
  readonly matcher: RouteMatcher
  readonly timeouts: TimeoutsMs | undefined
}

export interface CompiledConsumer extends CompiledOwner {
  readonly indexed: IndexedConsumer
}

export interface CompiledUpstream {
  readonly upstream: Upstream
}

export interface CompiledMetadata {
  readonly value: Readonly<Record<string, unknown>>
}

/** Kind to what its documents are compiled into. */
export interface Compiled {
  plugin_metadata: CompiledMetadata
  ssls: CompiledSsl
  upstreams: CompiledUpstream
  services: CompiledService
  plugin_configs: CompiledOwner
  consumers: CompiledConsumer
  global_rules: CompiledOwner
  routes: CompiledRoute
}

/** One document on its way. */
export interface CompileJob<K extends Kind> {
  readonly ref: Ref
  readonly document: Documents[K]
  readonly previous: Compiled[K] | undefined
}

type CompileKind<K extends Kind> = (
  job: CompileJob<K>,
  environment: CompileEnvironment,
  transaction: Transaction,
) => Compiled[K]

/** How a document of each kind is compiled. Each throws with a reason for people when the document cannot be used. */
export const COMPILE: { readonly [K in Kind]: CompileKind<K> } = {
  plugin_metadata: ({ ref, document }, { plugins }) => {
    const { id: _, ...value } = document
    return { value: plugins.prepareMetadata(ref.id, value) }
  },
  ssls: ({ ref, document }) => compileSsl(ref.id, document),
  upstreams: ({ ref, document, previous }, environment, transaction) => ({
    upstream: compileUpstream(
      { owner: ref, document, previous: previous?.upstream },
      environment,
      transaction,
    )!,
  }),
  services: (job, environment, transaction) => compileService(job, environment, transaction),
  plugin_configs: (job, environment, transaction) => ownerOf(job, environment, transaction),
  global_rules: (job, environment, transaction) => ownerOf(job, environment, transaction),
  consumers: (job, environment, transaction) => compileConsumer(job, environment, transaction),
  routes: (job, environment, transaction) => compileRoute(job, environment, transaction),
}

interface OwnerJob {
  readonly ref: Ref
  readonly document: { readonly plugins?: PluginConfigs }
  readonly previous: CompiledOwner | undefined
}

function ownerOf(job: OwnerJob, environment: CompileEnvironment, transaction: Transaction): CompiledOwner {
  const { ref: owner, document, previous } = job
  const source = {
    owner,
    plugins: document.plugins,
    place: 'resource' as const,
    previous: previous?.instances,
  }
  return { instances: compileInstances(source, environment, transaction) }
}

function compileService(
  job: CompileJob<'services'>,
  environment: CompileEnvironment,
  transaction: Transaction,
): CompiledService {
  return {
    ...ownerOf(job, environment, transaction),
    upstream: inlineUpstream(job, environment, transaction),
  }
}

function compileRoute(
  job: CompileJob<'routes'>,
  environment: CompileEnvironment,
  transaction: Transaction,
): CompiledRoute {
  return {
    ...ownerOf(job, environment, transaction),
    matcher: matcherOf(job.document),
    timeouts: readTimeouts(job.document.timeout),
    upstream: inlineUpstream(job, environment, transaction),
  }
}

function inlineUpstream(
  job: { ref: Ref; document: Route | Service; previous: { upstream: Upstream | undefined } | undefined },
  environment: CompileEnvironment,
  transaction: Transaction,
): Upstream | undefined {
  const { ref: owner, document, previous } = job
  return compileUpstream(
    { owner, document: document.upstream, previous: previous?.upstream },
    environment,
    transaction,
  )
}

const NOTHING: readonly string[] = []

function matcherOf(route: Route): RouteMatcher {
  return {
    uris: route.uris ?? [route.uri!],
    methods: route.methods ?? NOTHING,
    remoteAddrs: route.remote_addrs ?? (route.remote_addr === undefined ? NOTHING : [route.remote_addr]),
    priority: route.priority ?? 0,
    vars: route.vars && compileExpression(route.vars),
    filter: route.filter_func === undefined ? undefined : compileFilterFunction(route.filter_func),
  }
}

function compileConsumer(
  job: CompileJob<'consumers'>,
  environment: CompileEnvironment,
  transaction: Transaction,
): CompiledConsumer {
  const { ref, document, previous } = job
  const { auth, others } = splitAuth(document, environment)
  const instances = compileInstances(
    { owner: ref, plugins: others, place: 'consumer', previous: previous?.instances },
    environment,
    transaction,
  )
  const view: ConsumerView = {
    name: document.username,
    groupId: document.group_id === undefined ? undefined : String(document.group_id),
    labels: document.labels,
    credentialId: undefined,
  }
  const credentials = auth.map(
    ({ plugin, key, config }): Credential => ({
      plugin,
      key,
      entry: { view, config, instances },
    }),
  )
  const plain = { view, config: {}, instances }
  return { instances, indexed: { name: document.username, plain, credentials } }
}

interface AuthConfig {
  readonly plugin: string
  readonly key: string
  readonly config: Readonly<Record<string, unknown>>
}

/** Plugins with a `consumerSchema` say how the consumer is recognised; the others run for its requests (contract §6). */
function splitAuth(
  consumer: Consumer,
  { plugins }: CompileEnvironment,
): { auth: AuthConfig[]; others: PluginConfigs } {
  const auth: AuthConfig[] = []
  const others: PluginConfigs = {}
  for (const [name, raw] of Object.entries(consumer.plugins ?? {})) {
    const consumerKey = plugins.get(name)?.consumerKey
    if (consumerKey === undefined) {
      others[name] = raw
      continue
    }
    const { config, meta } = plugins.prepare(name, raw, 'consumer')
    if (meta.disable !== true) auth.push({ plugin: name, key: String(config[consumerKey]), config })
  }
  return { auth, others }
}
