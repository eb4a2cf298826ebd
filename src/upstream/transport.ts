import type { Socket } from 'node:net'

/** One attempt's request as it goes on the wire. */
export interface OutgoingRequest {
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** Flat `[name, value, …]`, Host included, framing headers excluded: the transport writes those. */
  readonly headers: readonly string[]
  /** What to ask for in a TLS handshake; empty asks for none, absent takes the node's. */
  readonly serverName?: string | undefined
  readonly body: OutgoingBody | undefined
  readonly connectMs: number
  readonly sendMs: number
  /** Longest gap before the response head and between two parts of its body. */
  readonly readMs: number
  /** Not on a connection that has served before. */
  readonly needsFreshConnection: boolean
  /** Asks the node to switch to another protocol; goes out on a connection of its own. */
  readonly upgrade?: ProtocolSwitch | undefined
}

/** Asked for together with a request, whose headers say `Connection: Upgrade` and `Upgrade`. */
export interface ProtocolSwitch {
  /** As in `Upgrade`, one or a list. */
  readonly protocol: string
  /**
   * The node agreed, to one of them: in place of the sink's calls, of which none follows. The socket is paused and handed over,
   * together with what has arrived of the new protocol. It is half-open: its end does not end it. Must not throw.
   */
  onSwitched(head: ResponseHead, protocol: string, node: Socket): void
}

/** A request body that one attempt after the other may read from. At most one consumer is attached at a time. */
export interface OutgoingBody {
  /** Bytes, or `undefined` when it is not known ahead: then it goes chunked. */
  readonly length: number | undefined
  /** Begins to give chunks from the body's start; what an attempt before has read already comes before this returns. */
  attach(consumer: BodyConsumer): void
  /** Goes on after a consumer answered false. */
  resume(): void
  /** The attempt is over; nothing more is given to its consumer. */
  detach(): void
}

export interface BodyConsumer {
  /** Returns false to be given nothing more until {@link OutgoingBody.resume}. */
  onChunk(chunk: Uint8Array): boolean
  /** `trailers` is flat and handed over; a consumer that cannot send any leaves them out. */
  onEnd(trailers?: readonly string[]): void
}

/** Why an attempt failed. */
export type FailureKind =
  | 'connect'
  | 'connect-timeout'
  | 'queue-full'
  | 'send-timeout'
  | 'read-timeout'
  | 'reset'
  | 'protocol'

export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly kind: FailureKind
  /** True when no byte of the request can have reached the node. */
  readonly isUnsent: boolean
  /** True when the connection had served before and closed without a byte of an answer: the keep-alive race. */
  readonly isStaleConnection: boolean

  constructor(
    kind: FailureKind,
    message: string,
    flags: { isUnsent?: boolean; isStaleConnection?: boolean } = {},
  ) {
    super(message)
    this.kind = kind
    this.isUnsent = flags.isUnsent ?? false
    this.isStaleConnection = flags.isStaleConnection ?? false
  }
}

/** The status line and headers of a final response, framing already taken from them. */
export interface ResponseHead {
  readonly status: number
  readonly reason: string
  /**
   * Flat, in wire order, without `Connection`, `Keep-Alive` and `Transfer-Encoding`; handed over. `Trailer` is there only where
   * `bodyLength` is not known ahead.
   */
  readonly headers: string[]
  /** Bytes the body will have: 0 for a response without one, `undefined` when only its end will tell. */
  readonly bodyLength: number | undefined
  /** Only the end of the connection will end the body: nobody can tell whether it is whole. */
  readonly isUntilClose?: boolean
}

/** Receives one response. Calls come in order; after `onEnd` or `onError` none follows. None of them may throw. */
export interface ResponseSink {
  /** An interim answer, 103: hints of what the final one will say, framing taken from them. Any number, before `onHead`. */
  onEarlyHints(headers: readonly string[]): void
  onHead(head: ResponseHead): void
  /**
   * Returns false to pause; {@link Sending.resume} goes on. The bytes are lent: they are overwritten once the call returns, unless
   * `mayKeep` is true and the answer false: then they are left alone until that resume, or for good when none comes.
   */
  onData(chunk: Buffer, mayKeep: boolean): boolean
  /** `trailers` is flat and handed over; absent when the node sent none. */
  onEnd(trailers?: readonly string[]): void
  /** All that one read of the socket brought was delivered and more is to come: a moment to flush. */
  onLull(): void
  onError(error: TransportError): void
}

/**
 * An attempt under way. The caller shows the sink that it sent with: what carries the attempt may carry another one afterwards, and
 * an attempt that is over must not reach into that.
 */
export interface Sending {
  resume(sink: ResponseSink): void
  /** Gives up: the connection is discarded, and the sink hears nothing more. */
  abort(sink: ResponseSink): void
}

/** Connections to one node under one identity (scheme, address, TLS). Bounded; what does not fit waits, bounded too. */
export interface ConnectionPool {
  /** The sink hears nothing before this returns. Throws a TypeError for a request that cannot be written. */
  send(request: OutgoingRequest, sink: ResponseSink): Sending
  /** Opens connections for requests to come, up to so many. */
  warm(connections: number): Warming
  /** No new attempts; idle connections close now, busy ones after their response. */
  close(): void
}

/** Connections that are opened before anything is sent on them. */
export interface Warming {
  /** How many could be opened, once it is known of each; never rejects. */
  readonly opened: Promise<number>
  /** Those that are not open yet are not waited for any longer. */
  giveUp(): void
}

/** Nothing to open. */
export const NO_WARMING: Warming = { opened: Promise.resolve(0), giveUp: () => undefined }
