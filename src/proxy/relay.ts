import type { ServerResponse } from 'node:http'
import { Response } from '../plugin/context/context.ts'
import { HeaderList } from '../plugin/context/header-list.ts'
import type { BodyFilter, BodyStream } from '../plugin/definition.ts'
import { collectBodyFilters, runHeaderFilters } from '../plugin/run.ts'
import type { ResponseHead } from '../upstream/transport.ts'
import { changesLength, filterChunk, filterEnd } from './body-filters.ts'
import { BodyPipeline, isStream } from './body-pipeline.ts'
import { addDebugHeaders } from './debug-headers.ts'
import { EventStream, isEventStream } from './event-stream.ts'
import type { Exchange } from './exchange.ts'
import { FALLBACK } from './named-agent.ts'
import { keepFraming } from './response-framing.ts'
import { addTrailers, keepAnnouncement } from './trailers.ts'
import { endWithHead, writeHead } from './write-head.ts'

/** Bodies up to this go out as one string with their head: one write instead of two. */
const ONE_WRITE_BYTES = 16 * 1024

/** Where the response comes from; asked to go on after {@link Relay.write} said to pause. */
export interface Source {
  resume(): void
}

/**
 * A node's response on its way to the client. The head is held back until the read that brought it is used up, so that a small
 * response leaves in one write.
 */
export class Relay {
  readonly #exchange: Exchange
  readonly #source: Source
  #filters: readonly BodyFilter[] = []
  /** In place of the filters when one of them is a stream. */
  #pipeline: BodyPipeline | undefined
  #trailers: readonly string[] | undefined
  #areTrailersTaken = false
  #isHeadSent = false
  #heldBody: string | undefined
  #isWaitingForDrain = false
  #sent: Response | undefined
  #events: EventStream | undefined

  constructor(exchange: Exchange, source: Source) {
    this.#exchange = exchange
    this.#source = source
  }

  /** Runs the header filters over the response; nothing is written yet. `isFallback`: another agent than the named one answers. */
  begin(head: ResponseHead, isFallback = false): void {
    const { context, globalChain, chain, report } = this.#exchange
    const response = new Response(head.status, new HeaderList(head.headers), 'upstream')
    response.hasKnownEnd = head.isUntilClose !== true
    this.#sent = response
    context.beginResponse(response)
    addOwnHeaders(this.#exchange, response)
    if (isFallback) response.headers.set(...FALLBACK)
    this.#filterHeaders(response.headers)
    const filters = collectBodyFilters([globalChain, chain], context, report)
    this.#areTrailersTaken = filters.some((filter) => 'takesTrailers' in filter && filter.takesTrailers)
    if (filters.some(isStream)) this.#open(filters)
    else this.#filters = filters as BodyFilter[]
    if (filters.some(changesLength) || isLengthOfNoBody(this.#exchange, head)) {
      response.headers.remove('content-length')
    }
    if (head.bodyLength === undefined) keepAnnouncement(this.#exchange, response)
    addDebugHeaders(this.#exchange, response)
    if (isEventStream(response)) this.#openEvents()
  }

  /** `chunk` is lent, as {@link ResponseSink.onData} says. Returns false when the client is slower than the node. */
  write(chunk: Buffer, mayKeep: boolean): boolean {
    if (this.#pipeline) return this.#pipeline.write(Buffer.from(chunk))
    if (this.#filters.length > 0) {
      const filtered = filterChunk(this.#filters, Buffer.from(chunk))
      return filtered === undefined || this.#writeOwned(filtered)
    }
    if (!this.#isHeadSent && this.#heldBody === undefined && chunk.length <= ONE_WRITE_BYTES) {
      this.#heldBody = chunk.toString('latin1')
      return true
    }
    // A write this large is either taken at once or answered false until the last byte has left: the chunk need not be copied.
    const isSafe = mayKeep && chunk.length >= this.#exchange.response.writableHighWaterMark
    return this.#writeOwned(isSafe ? chunk : Buffer.from(chunk))
  }

  /** Writes what is held back: more of the response is to come, and not at once. */
  flush(): void {
    if (this.#isHeadSent) return
    this.#sendHead()
    if (this.#heldBody === undefined) this.#exchange.response.flushHeaders()
    else this.#writeHeld()
  }

  /** `trailers` are the node's, flat. */
  end(trailers?: readonly string[]): void {
    if (this.#pipeline) {
      this.#trailers = trailers
      this.#pipeline.end(trailers)
      return
    }
    const tail = this.#filters.length > 0 ? filterEnd(this.#filters, trailers) : undefined
    if (tail !== undefined) this.#writeOwned(tail)
    this.#finish(trailers)
  }

  #filterHeaders(headers: HeaderList): void {
    const { context, globalChain, chain, report } = this.#exchange
    if (globalChain.headerFilter.length + chain.headerFilter.length === 0) return
    const length = headers.get('content-length')
    runHeaderFilters(globalChain.headerFilter, context, report)
    runHeaderFilters(chain.headerFilter, context, report)
    keepFraming(headers, length)
  }

  #open(filters: readonly (BodyFilter | BodyStream)[]): void {
    const pipeline = new BodyPipeline(filters, this.#source, {
      write: (bytes) => this.#writeOwned(bytes),
      end: () => this.#finish(this.#trailers),
      fail: (error) => this.#exchange.crash(error),
    })
    this.#pipeline = pipeline
    this.#exchange.response.once('close', () => pipeline.destroy())
  }

  #openEvents(): void {
    const { response, options } = this.#exchange
    const events = new EventStream(response)
    this.#events = events
    options.eventStreams.add(events)
    response.once('close', () => options.eventStreams.delete(events))
  }

  #finish(trailers: readonly string[] | undefined): void {
    if (this.#events?.isOver) return
    const { response, context } = this.#exchange
    if (!this.#isHeadSent) this.#sendHead()
    const held = this.#heldBody
    this.#heldBody = undefined
    if (trailers !== undefined && !this.#areTrailersTaken) addTrailers(this.#exchange, trailers)
    if (held === undefined) response.end()
    else {
      context.stats.responseBodyBytes += held.length
      endWithHead(response, held)
    }
  }

  #writeOwned(bytes: Uint8Array): boolean {
    const { response, context } = this.#exchange
    if (this.#events?.isOver) return true
    if (!this.#isHeadSent) this.#sendHead()
    this.#writeHeld()
    context.stats.responseBodyBytes += bytes.length
    const isTaken = response.write(bytes) || hasLeft(response)
    this.#events?.take(bytes)
    if (isTaken) return true
    this.#waitForDrain()
    return false
  }

  #writeHeld(): void {
    const held = this.#heldBody
    if (held === undefined) return
    this.#heldBody = undefined
    this.#exchange.context.stats.responseBodyBytes += held.length
    if (!this.#exchange.response.write(held, 'latin1')) this.#waitForDrain()
    this.#events?.take(Buffer.from(held, 'latin1'))
  }

  #sendHead(): void {
    this.#isHeadSent = true
    writeHead(this.#exchange, this.#sent!)
  }

  #waitForDrain(): void {
    if (this.#isWaitingForDrain) return
    this.#isWaitingForDrain = true
    this.#exchange.response.once('drain', () => {
      this.#isWaitingForDrain = false
      const before = this.#pipeline ?? this.#source
      before.resume()
    })
  }
}

/**
 * Whether the client's socket took all that was written, at once: the node need not be paused for that. Node would write at the end
 * of this turn only.
 */
function hasLeft({ socket }: ServerResponse): boolean {
  socket?.uncork()
  return socket?.writableLength === 0
}

/** A plugin made a HEAD of the client's request: the length that the node tells is of a body that the client will not get. */
function isLengthOfNoBody({ context }: Exchange, { bodyLength }: ResponseHead): boolean {
  return bodyLength === 0 && context.upstream.method === 'HEAD' && context.method !== 'HEAD'
}

function addOwnHeaders({ context, options }: Exchange, response: Response): void {
  const { headers, status } = response
  if (options.serverHeader === false) headers.remove('server')
  else headers.set('Server', options.serverHeader)
  if (options.showUpstreamStatus || status >= 500) {
    headers.set('X-APISIX-Upstream-Status', context.upstreamStatuses ?? String(status))
  }
}
