import { compileExpression } from '../expr/compile.ts'
import type { Kind, Ref } from '../model/kind.ts'
import type { Documents, PluginConfigs, Route, Service } from '../model/types.ts'
import { namesBodyVariable } from '../plugin/context/body-variables.ts'
import type { RouteEntry } from '../router/router.ts'
import { readTimeouts, type TimeoutsMs } from '../upstream/spec.ts'
import type { Upstream } from '../upstream/upstream.ts'
import {
  type CompiledConsumer,
  type CompiledCredential,
  compileConsumer,
  compileCredential,
} from './compile-consumer.ts'
import { type CompileEnvironment, compileInstances, compileUpstream, withSecrets } from './compile-parts.ts'
import { type CompiledSsl, compileSsl } from './compile-ssl.ts'
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
  'uris' | 'methods' | 'remoteAddrs' | 'priority' | 'vars' | 'filter' | 'needsBody'
>

export interface CompiledRoute extends CompiledOwner {
  readonly upstream: Upstream | undefined
  readonly matcher: RouteMatcher
  readonly timeouts: TimeoutsMs | undefined
}

export interface CompiledUpstream {
  readonly upstream: Upstream
}

export interface CompiledMetadata {
  readonly value: Readonly<Record<string, unknown>>
}

/** Of a kind that is read where it is used. */
export type CompiledNothing = Readonly<Record<never, never>>

/** Kind to what its documents are compiled into. */
export interface Compiled {
  plugin_metadata: CompiledMetadata
  secrets: CompiledNothing
  ssls: CompiledSsl
  protos: CompiledNothing
  upstreams: CompiledUpstream
  services: CompiledService
  plugin_configs: CompiledOwner
  consumer_groups: CompiledOwner
  credentials: CompiledCredential
  consumers: CompiledConsumer
  global_rules: CompiledOwner
  routes: CompiledRoute
  stream_routes: CompiledNothing
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

const NOTHING_COMPILED: CompiledNothing = {}

/** How a document of each kind is compiled. Each throws with a reason for people when the document cannot be used. */
export const COMPILE: { readonly [K in Kind]: CompileKind<K> } = {
  plugin_metadata: ({ ref, document }, environment) => {
    const { plugins } = environment
    const { id: _, ...value } = document
    return { value: withSecrets(plugins.prepareMetadata(ref.id, value), environment) }
  },
  secrets: () => NOTHING_COMPILED,
  ssls: ({ ref, document }, environment) => compileSsl(ref.id, withSecrets(document, environment)),
  protos: () => NOTHING_COMPILED,
  upstreams: ({ ref, document, previous }, environment, transaction) => ({
    upstream: compileUpstream(
      { owner: ref, document, previous: previous?.upstream },
      environment,
      transaction,
    )!,
  }),
  services: compileService,
  plugin_configs: (job, environment, transaction) => ownerOf(job, environment, transaction),
  global_rules: (job, environment, transaction) => ownerOf(job, environment, transaction),
  consumer_groups: (job, environment, transaction) => ownerOf(job, environment, transaction),
  credentials: compileCredential,
  consumers: compileConsumer,
  routes: compileRoute,
  // Stored and checked; nothing listens for streams.
  stream_routes: () => NOTHING_COMPILED,
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
  const vars = route.vars && compileExpression(route.vars)
  return {
    uris: route.uris ?? [route.uri!],
    methods: route.methods ?? NOTHING,
    remoteAddrs: route.remote_addrs ?? (route.remote_addr === undefined ? NOTHING : [route.remote_addr]),
    priority: route.priority ?? 0,
    vars,
    needsBody:
      (vars?.variables ?? NOTHING).some(namesBodyVariable) || namesBodyVariable(route.filter_func ?? ''),
    filter: route.filter_func === undefined ? undefined : compileFilterFunction(route.filter_func),
  }
}
