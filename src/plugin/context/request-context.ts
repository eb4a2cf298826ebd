import type { VariableSource } from '../../expr/expr.ts'
import type { Labels } from '../../model/types.ts'
import type { UpstreamHandle } from '../definition.ts'
import type { RequestSlot } from './slot.ts'

/** Headers of one message in wire order, duplicates kept. Names compare without case; `name` arguments are lower-case. */
export interface Headers {
  /** The first value, or `undefined`. */
  get(name: string): string | undefined
  all(name: string): string[]
  has(name: string): boolean
  /** Replaces every occurrence. `name` is sent as written here. Throws on a value with CR, LF or NUL. */
  set(name: string, value: string | readonly string[]): void
  /** Adds one more line. */
  append(name: string, value: string): void
  remove(name: string): void
  /** Flat `[name, value, name, value, …]` in wire order; not to be written to. */
  raw(): readonly string[]
}

export interface ConsumerView {
  readonly name: string
  readonly groupId: string | undefined
  readonly labels: Labels | undefined
  readonly credentialId: string | undefined
}

/** The consumer found by an authentication plugin, with what its configuration said for that plugin. */
export interface FoundConsumer {
  readonly view: ConsumerView
  /** The consumer's (or credential's) configuration of the plugin that asked. */
  readonly config: Readonly<Record<string, unknown>>
}

export interface RouteView {
  readonly id: string
  readonly name: string | undefined
  readonly serviceId: string | undefined
  readonly serviceName: string | undefined
  /** The pattern and host that matched are the route's own: first of `uris` and `hosts`. */
  readonly uri: string
  readonly host: string | undefined
}

/** The request as it will be sent to the upstream; what is not changed goes as the client sent it. */
export interface UpstreamRequest {
  method: string
  /** Path and query in wire form. Assigning replaces the client's own. */
  target: string
  /** Host to send, when a plugin overrides `pass_host`. */
  host: string | undefined
}

export interface ResponseView {
  status: number
  readonly headers: Headers
  /** False when only the end of the node's connection ends the body: nobody can tell whether it is whole. */
  readonly hasKnownEnd: boolean
  /** Who made the response: an upstream node or the gateway. */
  readonly source: 'upstream' | 'gateway'
  /** The node's own, as they were before plugins changed them; kept where {@link RequestContext.keepReceived} asked for it. */
  readonly received: { readonly status: number; readonly headers: Headers } | undefined
}

/** Times of one request in monotonic ms, and byte counts; complete in the `log` phase. */
export interface RequestStats {
  readonly startedAt: number
  /** First moment of the first attempt to reach an upstream, 0 when none was made. */
  readonly upstreamStartedAt: number
  /** Time from sending the last attempt to the end of its response; `undefined` when no upstream was asked. */
  readonly upstreamMs: number | undefined
  readonly totalMs: number
  readonly bytesReceived: number
  readonly bytesSent: number
}

/** Expressions compare it; texts show it, a list as JSON. */
export type VariableValue = string | number | boolean | readonly (string | number)[]

/** One request on its walk. Plugins get it in every phase; nothing of it outlives the `log` phase. */
export interface RequestContext extends VariableSource {
  readonly method: string
  readonly scheme: 'http' | 'https'
  /** Lower-case, no port. */
  readonly host: string
  /** Canonical decoded path without query: APISIX's `uri`. */
  readonly path: string
  /** Raw query string without `?`; empty when none. */
  readonly queryString: string
  /** Path and query as APISIX's `request_uri`: canonical path with the raw query. */
  readonly requestUri: string
  /** The target of the request line as the client sent it. */
  readonly rawTarget: string
  readonly remoteAddr: string
  readonly remotePort: number
  /** Where the connection comes from, whatever headers or a plugin say of the client. */
  readonly peerAddr: string
  /** Whether the upstream will get a body: what the head announces, or what a plugin has set. */
  readonly hasBody: boolean
  /** What will be sent to the upstream; starts as what the client sent. */
  readonly headers: Headers
  readonly upstream: UpstreamRequest
  /** The matched route, absent on a 404. */
  readonly route: RouteView | undefined
  readonly consumer: ConsumerView | undefined
  /** The node of the current attempt, from `beforeProxy` on. */
  readonly node: { readonly host: string; readonly port: number } | undefined
  /** The response; only from `headerFilter` on. Reading it before throws. */
  readonly response: ResponseView
  /** Whether there is one: in `log` there is none when the client left before it began. */
  readonly hasResponse: boolean
  readonly stats: RequestStats

  /** Aborted when the request is over, as it is at once when the client leaves; for calls made in its phases. */
  readonly signal: AbortSignal

  /** First value of a query argument, decoded (`+` is a space). */
  arg(name: string): string | undefined
  cookie(name: string): string | undefined
  /** Removes a query argument from what the upstream gets. */
  removeArg(name: string): void
  /**
   * The whole body, empty when there is none; it goes on to the upstream all the same. Rejects with `BodyTooLargeError` when it is
   * longer than `maxBytes`; a phase that lets it escape is answered 413. Only before the request is forwarded.
   */
  readBody(maxBytes: number): Promise<Buffer>
  /** Replaces what the upstream gets as a body; handed over. */
  setBody(bytes: Uint8Array | string): void
  /** Longest body of this request, 0 for any, instead of the listener's limit. Throws `BodyTooLargeError` when its head announces more. */
  setBodyLimit(bytes: number): void
  /** Asks for {@link ResponseView.received}; before the request goes to the upstream. */
  keepReceived(): void
  /** From here on plugins of that name are passed over in this request: what they would do has been done. */
  skipPlugin(name: string): void
  /** Sends the request there instead of to the route's upstream. */
  useUpstream(upstream: UpstreamHandle): void
  /** The client's address from here on, in variables, logs and forwarded headers: an IP in its canonical form. */
  setClientAddress(address: string, port?: number): void
  /** Any variable of contract §4.5; `undefined` when it has no value. */
  var(name: string): unknown
  /**
   * A variable of this request from here on, wherever variables are read: in log formats, templates and expressions. A text, a number,
   * a boolean, or a list of texts and numbers. Throws a TypeError for a name that the gateway uses itself; begin it with the plugin's.
   */
  setVariable(name: string, value: VariableValue): void
  /** Looks up the consumer whose configuration of `plugin` has this key, in the snapshot of this request. */
  findConsumer(plugin: string, key: string): FoundConsumer | undefined
  /** The consumer of that name, for `anonymous_consumer`. */
  findConsumerByName(name: string): FoundConsumer | undefined
  /** Makes it this request's consumer: sets the `X-Consumer-*` headers, and its plugins join the walk (contract §6). */
  attachConsumer(consumer: FoundConsumer): void
  get<T>(slot: RequestSlot<T>): T | undefined
  set<T>(slot: RequestSlot<T>, value: T): void
}
