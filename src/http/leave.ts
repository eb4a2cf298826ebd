import type { ServerResponse } from 'node:http'
import { endAfterNext } from './request-count.ts'

/** Why a connection is ended although its client has done nothing wrong. */
export type LeaveReason = 'duration' | 'certificate'

/** Told of each connection that is told to end; must not throw. */
export type LeaveObserver = (reason: LeaveReason) => void

const leave = Symbol('how the client is told')

type KnownSocket = object & { [leave]?: () => void; readonly _httpMessage?: ServerResponse | null }

/** The client of this connection is told in a way of its own, as by GOAWAY. */
export function markLeave(socket: object, how: () => void): void {
  const known = socket as KnownSocket
  known[leave] = how
}

/**
 * The drain of a single connection (systems.md §6.5): nothing is cut, and the client sends what follows on another one. With HTTP/1.1 it is told by
 * the answer that is under way if its head has not gone out, else by the next: an idle connection is left alone, because a request may be on its way.
 */
export function leaveSoon(socket: object): void {
  const known = socket as KnownSocket
  if (known[leave]) {
    known[leave]()
    return
  }
  endAfterNext(socket)
  const response = known._httpMessage
  if (response && !response.headersSent) response.shouldKeepAlive = false
}

/** Up to this part of the time is taken off at random, so that what came together does not come back together. */
const SPREAD = 0.1

export interface ConnectionAge {
  readonly maxMs: number
  /** Uniform in [0, 1). */
  readonly random: () => number
  onDue(): void
}

/** Lets a connection go once it has been open for so long. */
export function limitAge(
  socket: object & { once(event: 'close', listener: () => void): unknown },
  { maxMs, random, onDue }: ConnectionAge,
): void {
  const timer = setTimeout(
    () => {
      onDue()
      leaveSoon(socket)
    },
    maxMs * (1 - SPREAD * random()),
  ).unref()
  socket.once('close', () => clearTimeout(timer))
}
