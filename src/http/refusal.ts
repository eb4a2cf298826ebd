import type { IncomingMessage } from 'node:http'

/** A request that is answered without route or plugin, and why; the connection is not used again. */
export interface Refusal {
  readonly status: number
  /** A word of a fixed set, for log and metric. */
  readonly reason: string
}

/** A refusal that has been answered. */
export interface RefusedRequest extends Refusal {
  /** The peer of the connection; empty when it is gone. */
  readonly peerAddr: string
  /** Absent when the bytes never became a request. */
  readonly request: IncomingMessage | undefined
  /** Its exchange is closed like any other, which the access log hears of. */
  readonly isLogged?: boolean
  /** There are too many of them for a line each in the log of the gateway. */
  readonly isOneOfMany?: boolean
}

/** Told of every request that is refused, once; must not throw. */
export type RefusalObserver = (refused: RefusedRequest) => void
