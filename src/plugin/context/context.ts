import { randomBytes } from 'node:crypto'
import type { BodyTap, UpstreamHandle } from '../definition.ts'
import type { Trace } from '../trace.ts'
import { type BodyVariableLimits, BodyVariables } from './body-variables.ts'
import { BodyTooLargeError, type ClientBody } from './client-body.ts'
import { type GraphqlOperation, readGraphql } from './graphql.ts'
import { HeaderList } from './header-list.ts'
import { cookieValue, queryArg, withoutArg } from './query.ts'
import type {
  ConsumerView,
  FoundConsumer,
  RequestContext,
  ResponseView,
  RouteView,
  UpstreamRequest,
  VariableValue,
} from './request-context.ts'
import type { RequestSlot } from './slot.ts'
import { headBytes, Stats } from './stats.ts'
import { isBuiltIn, readVariable } from './variables.ts'

/** Finds consumers in the snapshot that the request holds. */
export interface ConsumerLookup {
  findConsumer(plugin: string, key: string): FoundConsumer | undefined
  findConsumerByName(name: string): FoundConsumer | undefined
}

/** What the front door knows about a request before any plugin ran. */
export interface ContextInit {
  readonly method: string
  readonly rawTarget: string
  /** Canonical and decoded, see `lib/canonical-path.ts`. */
  readonly path: string
  readonly query: string
  /** What the upstream gets as long as no plugin rewrites it. */
  readonly forwardTarget: string
  readonly host: string
  readonly rawHost: string
  readonly scheme: 'http' | 'https'
  readonly httpVersion: string
  /** Handed over: the context changes it. */
  readonly rawHeaders: string[]
  readonly remoteAddr: string
  readonly remotePort: number
  readonly peerAddr: string
  readonly serverAddr: string
  readonly serverPort: number
  readonly consumers: ConsumerLookup
  readonly monotonic: () => number
  readonly bodyVariables?: BodyVariableLimits | undefined
  /** Of the client's connection; absent when it is a plain one. */
  readonly tls?: TlsView | undefined
}

/** What a TLS connection says of itself. */
export interface TlsView {
  /** One of nginx's `ssl_*` variables, without the prefix. */
  variable(name: string): string | undefined
}

/** The response under way; made when its status and headers are known. */
export class Response implements ResponseView {
  status: number
  readonly headers: HeaderList
  readonly source: 'upstream' | 'gateway'
  hasKnownEnd = true
  received: { readonly status: number; readonly headers: HeaderList } | undefined = undefined

  constructor(status: number, headers: HeaderList, source: 'upstream' | 'gateway') {
    this.status = status
    this.headers = headers
    this.source = source
  }
}

/** One for all: to make an error costs more than all else about the end of a request. */
const ENDED = Object.freeze(new Error('the request is over'))

/** The defaults of the settings. */
const DEFAULT_BODY_LIMITS: BodyVariableLimits = { postArgBytes: 1024 * 1024, graphqlBytes: 1024 * 1024 }

/** The one implementation of {@link RequestContext}. The data path writes its public fields; plugins see the interface. */
export class Context implements RequestContext {
  readonly method: string
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly rawHost: string
  readonly path: string
  readonly queryString: string
  readonly rawTarget: string
  readonly httpVersion: string
  remoteAddr: string
  remotePort: number
  readonly peerAddr: string
  readonly serverAddr: string
  readonly serverPort: number
  readonly headers: HeaderList
  readonly upstream: UpstreamRequest
  readonly stats: Stats
  readonly tls: TlsView | undefined

  /** Absent when the head announces none. */
  clientBody: ClientBody | undefined = undefined
  /** Set by a match that cannot go on without the body: it has to be read, and the request matched again. */
  isBodyWanted = false
  /** A phase waits for the client's body. */
  isReadingBody = false
  /** Present when somebody wants to see what the plugins did. */
  trace: Trace | undefined = undefined
  /** What goes to the upstream instead of the client's body. */
  newBody: Uint8Array | undefined = undefined
  /** Passed over for the rest of the walk. */
  skippedPlugins: readonly string[] | undefined = undefined
  /** Instead of the route's. */
  chosenUpstream: UpstreamHandle | undefined = undefined
  pathParams: Record<string, string> | undefined = undefined
  route: RouteView | undefined = undefined
  consumer: ConsumerView | undefined = undefined
  /** The look-up result behind {@link consumer}; the runner reads it to let the consumer's plugins join. */
  foundConsumer: FoundConsumer | undefined = undefined
  node: { readonly host: string; readonly port: number } | undefined = undefined
  /** Host header of the last attempt. */
  sentHost: string | undefined = undefined
  upstreamScheme: string | undefined = undefined
  /** One status per attempt, `502, 200`; the form of `X-APISIX-Upstream-Status`. */
  upstreamStatuses: string | undefined = undefined

  #ending: AbortController | undefined = undefined
  #hasEnded = false
  #keepsReceived = false
  #response: Response | undefined = undefined
  #requestUri: string | undefined = undefined
  #id: string | undefined = undefined
  #slots: unknown[] | undefined = undefined
  #bodyVariables: BodyVariables | undefined = undefined
  /** Null before anybody asked. */
  #queried: GraphqlOperation | undefined | null = null
  #wasBodyRead = false
  readonly #bodyLimits: BodyVariableLimits
  #variables: Map<string, VariableValue> | undefined = undefined
  #consumers: ConsumerLookup

  constructor(init: ContextInit) {
    this.method = init.method
    this.scheme = init.scheme
    this.host = init.host
    this.rawHost = init.rawHost
    this.path = init.path
    this.queryString = init.query
    this.rawTarget = init.rawTarget
    this.httpVersion = init.httpVersion
    this.remoteAddr = init.remoteAddr
    this.remotePort = init.remotePort
    this.peerAddr = init.peerAddr
    this.serverAddr = init.serverAddr
    this.serverPort = init.serverPort
    this.headers = new HeaderList(init.rawHeaders)
    this.upstream = { method: init.method, target: init.forwardTarget, host: undefined }
    this.stats = new Stats(init.monotonic)
    this.stats.requestHeadBytes = headBytes(init.method.length + init.rawTarget.length + 10, init.rawHeaders)
    this.tls = init.tls
    this.#consumers = init.consumers
    this.#bodyLimits = init.bodyVariables ?? DEFAULT_BODY_LIMITS
  }

  get id(): string {
    this.#id ??= randomBytes(16).toString('hex')
    return this.#id
  }

  get requestUri(): string {
    this.#requestUri ??= this.queryString === '' ? this.path : `${this.path}?${this.queryString}`
    return this.#requestUri
  }

  get hasResponse(): boolean {
    return this.#response !== undefined
  }

  get response(): Response {
    if (!this.#response) throw new Error('the response is not known before headerFilter')
    return this.#response
  }

  /** Called by the data path once per response, before the header filters. */
  beginResponse(response: Response): void {
    this.#response = response
    if (!this.#keepsReceived || response.source !== 'upstream') return
    response.received = { status: response.status, headers: new HeaderList([...response.headers.raw()]) }
  }

  keepReceived(): void {
    this.#keepsReceived = true
  }

  skipPlugin(name: string): void {
    this.skippedPlugins = [...(this.skippedPlugins ?? []), name]
  }

  arg(name: string): string | undefined {
    return this.queryString === '' ? undefined : queryArg(this.queryString, name)
  }

  cookie(name: string): string | undefined {
    for (const header of this.headers.all('cookie')) {
      const value = cookieValue(header, name)
      if (value !== undefined) return value
    }
    return undefined
  }

  removeArg(name: string): void {
    const { target } = this.upstream
    const mark = target.indexOf('?')
    if (mark === -1) return
    const rest = withoutArg(target.slice(mark + 1), name)
    this.upstream.target = rest === '' ? target.slice(0, mark) : `${target.slice(0, mark)}?${rest}`
  }

  get hasBody(): boolean {
    return this.newBody ? this.newBody.length > 0 : (this.clientBody && this.clientBody.length !== 0) === true
  }

  async readBody(maxBytes: number): Promise<Buffer> {
    const { newBody, clientBody } = this
    if (newBody === undefined) return clientBody ? this.#collect(clientBody, maxBytes) : Buffer.alloc(0)
    if (newBody.length > maxBytes) throw new BodyTooLargeError(maxBytes)
    return Buffer.from(newBody.buffer, newBody.byteOffset, newBody.length)
  }

  /** Whether variables could tell more of the request if its body were read first; see {@link readForVariables}. */
  get hasUnreadBody(): boolean {
    const { clientBody } = this
    if (this.#wasBodyRead || clientBody === undefined) return false
    // It may be a conversation, whose end waits for what the upstream says.
    if (this.headers.get('content-type')?.toLowerCase().startsWith('application/grpc')) return false
    return (clientBody.length ?? 1) > 0 && (clientBody.length ?? 0) <= this.#mostForVariables()
  }

  /**
   * Reads the body, so that variables tell of it; one that is too long for that stays unread. Rejects with BodyGoneError as
   * {@link readBody} does.
   */
  async readForVariables(): Promise<void> {
    this.#wasBodyRead = true
    try {
      await this.readBody(this.#mostForVariables())
    } catch (error) {
      if (!(error instanceof BodyTooLargeError)) throw error
    }
  }

  /** What variables tell of the body that goes to the upstream; `undefined` as long as it was not read. */
  get bodyVariables(): BodyVariables | undefined {
    if (this.#bodyVariables) return this.#bodyVariables
    const { newBody } = this
    const bytes = newBody
      ? Buffer.from(newBody.buffer, newBody.byteOffset, newBody.length)
      : this.clientBody?.whole()
    if (!bytes || bytes.length === 0) return undefined
    this.#bodyVariables = new BodyVariables(bytes, this.headers.get('content-type'), this.#bodyLimits)
    return this.#bodyVariables
  }

  /** The operation of a GraphQL request: of a GET in its argument `query`, of a POST in its body. */
  get graphql(): GraphqlOperation | undefined {
    if (this.method === 'POST') return this.bodyVariables?.graphql
    return this.method === 'GET' ? this.#graphqlOfQuery() : undefined
  }

  setBody(bytes: Uint8Array | string): void {
    this.#bodyVariables = undefined
    this.newBody = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
    this.headers.remove('transfer-encoding')
    this.headers.set('Content-Length', String(this.newBody.length))
  }

  /** Shows `tap` the body that goes to the upstream; called by the data path before the first attempt. */
  showBody(tap: BodyTap): void {
    const { newBody, clientBody } = this
    if (newBody === undefined && clientBody) {
      clientBody.tap(tap)
      return
    }
    if (newBody) tap.write(newBody)
    tap.end(true)
  }

  get signal(): AbortSignal {
    this.#ending ??= new AbortController()
    if (this.#hasEnded && !this.#ending.signal.aborted) this.#ending.abort(ENDED)
    return this.#ending.signal
  }

  /** Called by the data path once, when the request is over however it ended. */
  end(): void {
    this.#hasEnded = true
    this.#ending?.abort(ENDED)
  }

  setBodyLimit(bytes: number): void {
    const most = bytes === 0 ? Number.MAX_SAFE_INTEGER : bytes
    if ((this.clientBody?.length ?? 0) > most) throw new BodyTooLargeError(most)
    this.clientBody?.limit(most)
  }

  useUpstream(upstream: UpstreamHandle): void {
    this.chosenUpstream = upstream
  }

  setClientAddress(address: string, port?: number): void {
    this.remoteAddr = address
    if (port !== undefined) this.remotePort = port
  }

  var(name: string): unknown {
    return this.#variables?.get(name) ?? readVariable(this, name)
  }

  setVariable(name: string, value: VariableValue): void {
    if (isBuiltIn(name)) throw new TypeError(`variable "${name}" is the gateway's own; choose another name`)
    this.#variables ??= new Map()
    this.#variables.set(name, value)
  }

  /** Those of another snapshot, when the request is matched again. */
  useConsumers(consumers: ConsumerLookup): void {
    this.#consumers = consumers
  }

  findConsumer(plugin: string, key: string): FoundConsumer | undefined {
    return this.#consumers.findConsumer(plugin, key)
  }

  findConsumerByName(name: string): FoundConsumer | undefined {
    return this.#consumers.findConsumerByName(name)
  }

  attachConsumer(consumer: FoundConsumer): void {
    const { name, credentialId, labels } = consumer.view
    this.foundConsumer = consumer
    this.consumer = consumer.view
    this.#setOrRemove('X-Consumer-Username', name)
    this.#setOrRemove('X-Credential-Identifier', credentialId)
    this.#setOrRemove('X-Consumer-Custom-ID', labels?.['custom_id'])
  }

  get<T>(slot: RequestSlot<T>): T | undefined {
    return this.#slots?.[slot.index] as T | undefined
  }

  set<T>(slot: RequestSlot<T>, value: T): void {
    this.#slots ??= []
    this.#slots[slot.index] = value
  }

  #mostForVariables(): number {
    return Math.max(this.#bodyLimits.postArgBytes, this.#bodyLimits.graphqlBytes)
  }

  #graphqlOfQuery(): GraphqlOperation | undefined {
    if (this.#queried === null) {
      const query = this.arg('query')
      const isShort = query !== undefined && query.length <= this.#bodyLimits.graphqlBytes
      this.#queried = isShort ? readGraphql(query) : undefined
    }
    return this.#queried
  }

  async #collect(body: ClientBody, maxBytes: number): Promise<Buffer> {
    this.isReadingBody = true
    try {
      return await body.collect(maxBytes)
    } finally {
      this.isReadingBody = false
    }
  }

  #setOrRemove(name: string, value: string | undefined): void {
    if (value === undefined) this.headers.remove(name.toLowerCase())
    else this.headers.set(name, value)
  }
}
