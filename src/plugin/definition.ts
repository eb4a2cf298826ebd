import type { Readable, Transform } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { Ref } from '../model/kind.ts'
import type { Logger } from '../observe/logger.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import type { ConsumerView, RequestContext, RouteView } from './context/request-context.ts'
import type { HttpClient } from './http-client.ts'
import type { TlsCheck } from './tls-trust.ts'

/** A JSON schema literal. */
export type Schema = Readonly<Record<string, unknown>>

/**
 * An answer given by the gateway itself: it ends the walk of the phases. Objects become JSON with a newline, strings, buffers
 * and streams go as they are, a stream without a `Content-Length` among the headers in chunks; no body becomes the error page of the status (contract §6, decisions 6 and 7).
 */
export interface Reply {
  readonly status: number
  readonly body?: string | Uint8Array | Readable | Readonly<Record<string, unknown>> | readonly unknown[]
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** What a gRPC client is told, 1 to 16; only with a `status` of 400 and above, which says it otherwise. */
  readonly grpcStatus?: number
}

// biome-ignore lint/suspicious/noConfusingVoidType: a phase that only acts has no return statement
export type PhaseResult = Reply | void

export type RequestPhase = (context: RequestContext) => PhaseResult | Promise<PhaseResult>

/** Changes a body on its way to the client. Chunks are owned by the filter once handed over. */
export interface BodyFilter {
  /** It only looks: every chunk comes out as it went in, and the length that was announced stays true. */
  readonly isObserver?: true
  /** Of an observer: it looks at what the node sent, before the filters of all plugins, in place of what came out of those before it. */
  readonly seesReceived?: true
  /** The upstream's trailers go to {@link end} and not on to the client. */
  readonly takesTrailers?: true
  /** Returns what to send now; nothing means "later" or "drop". */
  write(chunk: Uint8Array): Uint8Array | undefined
  /** Called once after the last chunk of a whole body, with the upstream's trailers as a flat list when it sent some; returns the tail. */
  end(trailers?: readonly string[]): Uint8Array | undefined
}

/** The same as a stream. Owned by the runtime once handed over: destroyed when the client leaves. */
export interface BodyStream {
  readonly stream: Transform
}

/** Watches a body on its way to the upstream. It holds nothing up: what it cannot take in time is its own loss. */
export interface BodyTap {
  /** The next bytes. They may be kept, and must not be changed. */
  write(chunk: Uint8Array): void
  /** Once, after the last chunk: whether that was the whole body, or the request ended before it. */
  end(isWhole: boolean): void
}

/** The compiled form of one stored configuration: functions that close over prepared values (contract §6 for the phases). */
export interface PluginInstance {
  /** Before the consumer is known; authentication lives here. May answer. */
  rewrite?: RequestPhase
  /** After consumer plugins were merged. May answer. */
  access?: RequestPhase
  /** After a node was picked, again before each retry. */
  beforeProxy?: RequestPhase
  /**
   * Before the first attempt to send a request that has a body; a returned tap sees every chunk of it, once, however often it is sent:
   * what the client sends as it comes, or at once what a plugin has set or read before.
   */
  tapBody?: (context: RequestContext) => BodyTap | undefined
  /** Status and headers of the response are known and can still change. Synchronous. */
  headerFilter?: (context: RequestContext) => void
  /**
   * Called after all header filters; a returned filter sees every chunk. A stream is for what takes time or makes much of little, such
   * as compression: the node is read as fast as the client takes what comes out.
   */
  bodyFilter?: (context: RequestContext) => BodyFilter | BodyStream | undefined
  /**
   * As `bodyFilter`, for what makes another form of the same body, such as compression: called after all body filters, of global rules
   * and routes alike, and given what they all have made, whatever the priority.
   */
  packBody?: (context: RequestContext) => BodyStream | undefined
  /** After the response ended, however it ended. Synchronous; what takes longer belongs to a batch the plugin owns. */
  log?: (context: RequestContext) => void
}

export type PhaseName = keyof PluginInstance

/** What a plugin may use of the process around it. */
export interface PluginHost {
  readonly logger: Logger
  readonly metrics: MetricRegistry
  /** Begins the names of metrics that APISIX has too: `metric_prefix` of its plugin prometheus. Names of our own begin with `gatewright_`. */
  readonly metricPrefix: string
  /** Wall clock in ms since the epoch and a monotonic clock in ms; tests replace both. */
  readonly clock: Clock
  /** `plugin_attr.<name>` of the settings, checked against `attrSchema`. */
  readonly attr: Readonly<Record<string, unknown>>
  /** Where clients reach this gateway over TLS: the port of the first such listener, `undefined` without one. */
  readonly httpsPort: number | undefined
  /**
   * Options for `tls.connect`, and for clients that use it, toward services beside the upstream: certificates are checked with the authorities of
   * `apisix.ssl.ssl_trusted_certificate`, or not at all.
   */
  tlsOptions(isVerified: boolean): TlsCheck
  /** For services beside the upstream; every call is bounded in time and size. */
  readonly http: HttpClient
}

/** An operation on state that is kept once per node; the argument and the result are plain data. A promise where other processes are asked. */
export type NodeOperation<Argument = never, Result = unknown> = (
  argument: Argument,
) => Result | Promise<Result>

/** Runs an operation in every process that serves requests, and resolves with what each of them answers, in no order. */
export type WorkerOperation<Argument = never, Result = unknown> = (
  argument: Argument,
) => Promise<readonly Result[]>

/** An endpoint that a plugin offers to clients. */
export interface PublicApi {
  readonly methods: readonly string[]
  /** A path; a `*` at its end stands for any rest. */
  readonly uri: string
  handle(context: RequestContext): Reply | Promise<Reply>
}

/** An upstream that a plugin may send requests to, see `useUpstream`. */
export interface UpstreamHandle {
  readonly name: string
  /** False as long as no upstream of that id is configured. */
  isKnown(): boolean
}

/** A configured upstream by its id, or one of the plugin's own, as in a route's `upstream`. */
export type UpstreamTarget =
  | { readonly id: string }
  | { readonly document: Readonly<Record<string, unknown>> }

/** A proto as stored; the same object as long as nobody edits it. */
export interface StoredProto {
  readonly content: string
}

/** What a request may have that is stored. */
export type StoredPart = 'route' | 'service' | 'consumer'

/** What plugins may use of the published configuration, always as it stands now. */
export interface PublishedResources {
  /** `own` is told what releases it. Throws when the document cannot be used. */
  openUpstream(name: string, target: UpstreamTarget, own: (release: () => void) => void): UpstreamHandle
  findProto(id: string): StoredProto | undefined
  /** As the request has it, however old that is; see {@link InstanceHost.stored}. */
  shown(part: StoredPart, view: RouteView | ConsumerView): Readonly<Record<string, unknown>> | undefined
}

/** For the configuration of other plugins inside a plugin's own. */
export interface CheckTools {
  /** `plugin_attr` of a plugin. */
  attr(plugin: string): Readonly<Record<string, unknown>>
  /** The message of contract §1.7, `unknown plugin [x]` among them, or `undefined`. */
  check(plugin: string, config: unknown): string | undefined
  find(plugin: string): AnyPlugin | undefined
  /** What is wrong with an upstream inside a configuration, as it is said of a route's, or `undefined` when {@link InstanceHost.upstream} can use it. */
  checkUpstream(document: Readonly<Record<string, unknown>>): string | undefined
}

export interface Clock {
  now(): number
  monotonic(): number
}

/** The host as one instance sees it while it is compiled. */
export interface InstanceHost extends PluginHost {
  /** The resource that carries the configuration. */
  readonly owner: Ref
  /** `routes/1`; inside another plugin's configuration with that plugin and the place behind it. Equal on every node. */
  readonly place: string
  /** The plugin's current metadata (`/apisix/plugin_metadata/<name>`) with defaults; read it when needed, it changes without a recompile. */
  metadata(): Readonly<Record<string, unknown>>
  /** Registers what the instance has started; released in reverse order when it retires, or when `compile` throws. */
  own(release: () => void | Promise<void>): void
  /** Runs once after `ms`, returning what cancels it. Keeps no process alive; what throws is logged and counted. Ends with the instance. */
  after(ms: number, run: () => unknown): () => void
  every(ms: number, run: () => unknown): () => void
  /** One of the plugin's {@link PluginDefinition.nodeOperations}; ask for it in `compile` and keep it. */
  nodeOperation<Argument, Result>(name: string): NodeOperation<Argument, Result>
  /**
   * One of the plugin's {@link PluginDefinition.workerOperations}; ask for it in `compile` and keep it. Rejects when a worker fails in it or does
   * not answer within 5 s; one that ends meanwhile is left out.
   */
  workerOperation<Argument, Result>(name: string): WorkerOperation<Argument, Result>
  /** Compiles another plugin's configuration as part of this one. Its `_meta` has no effect; `place` tells several of one plugin apart. Throws with the text of contract §1.7. */
  nested(plugin: string, config: unknown, place?: string): PluginInstance
  /** An upstream for `useUpstream`; its own one has health checks and connections as a route's has. */
  upstream(target: UpstreamTarget): UpstreamHandle
  proto(id: string): StoredProto | undefined
  /**
   * The request's route, the route's service, or the consumer as it is stored, for services outside of the gateway: with defaults, `***` where a
   * secret stands, references to secrets as they are. A new object each time, `undefined` where the request has none.
   */
  stored(part: StoredPart, context: RequestContext): Readonly<Record<string, unknown>> | undefined
  findPublicApi(method: string, uri: string): PublicApi | undefined
}

/**
 * One plugin. `Config` is the configuration after the schema's defaults were filled in; derive it from the schema with
 * `FromSchema` and name it at the call site.
 */
export interface PluginDefinition<Config> {
  readonly name: string
  /** Higher runs first (contract §7). */
  readonly priority: number
  /** The phases that some configuration of it has, for people who look at the list of plugins; `mountPlugin` holds it to them. */
  readonly phases?: readonly PhaseName[]
  readonly schema: Schema
  /** Present on plugins that identify consumers; configuration under a consumer is checked against it. */
  readonly consumerSchema?: Schema
  readonly metadataSchema?: Schema
  readonly attrSchema?: Schema
  readonly type?: 'auth'
  readonly scope?: 'global'
  /** In a global rule it is skipped for routes that have it too (contract §6). */
  readonly runPolicy?: 'prefer_route'
  /** Dotted paths of the configuration that hold secrets, lists on the way included: encrypted in the store, and never shown or logged. */
  readonly secretFields?: readonly string[]
  /** Dotted paths of further secrets, which APISIX stores as they are, such as those inside another plugin's configuration: never shown, and encrypted only with the node's own key. */
  readonly hiddenFields?: readonly string[]
  /** Of the consumer's configuration: the field that identifies it, unique among consumers. */
  readonly consumerKey?: string
  /** Rules a schema cannot say. Throws {@link ConfigError} with the contract's message. */
  check?(config: Config, tools: CheckTools): void
  /** The same for what stands under a consumer or credential, checked against `consumerSchema` before; references to secrets unresolved. */
  checkConsumer?(config: Readonly<Record<string, unknown>>): void
  /**
   * Operations on state that all workers of a node share, such as counters. The outer function makes the state, once per node; the
   * inner one is synchronous, so that nothing comes between its steps.
   */
  readonly nodeOperations?: Readonly<Record<string, (host: PluginHost) => NodeOperation>>
  /**
   * Operations on what each worker keeps for itself, such as a cache: run in all workers of the node, whichever asks. The outer function is called
   * once per process; what it shares with instances is found by `host.metrics`, which all instances of a process have in common.
   */
  readonly workerOperations?: Readonly<Record<string, (host: PluginHost) => NodeOperation>>
  /** Endpoints for clients, reachable through a route with the `public-api` plugin. */
  publicApi?(host: PluginHost): readonly PublicApi[]
  /** Once per process: routes, decorators, onClose. */
  fastify?(app: FastifyInstance, host: PluginHost): void | Promise<void>
  /** Once per stored configuration, before the snapshot that uses it is published. May throw {@link ConfigError}. */
  compile(config: Config, host: InstanceHost): PluginInstance
}

/** Erased form, as the registry keeps it. */
// biome-ignore lint/suspicious/noExplicitAny: the registry holds plugins of every configuration type; the schema guards the value
export type AnyPlugin = PluginDefinition<any>

/** A configuration that a person has to mend; the text is shown to them as it is. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** Declares a plugin. Name the configuration type: `definePlugin<FromSchema<typeof schema>>({...})`. */
export function definePlugin<Config>(definition: PluginDefinition<Config>): PluginDefinition<Config> {
  return definition
}
