import type { Exchange } from './exchange.ts'
import { GatewayError } from './gateway-error.ts'
import { isGrpc } from './grpc-status.ts'

/** A timer asked for more than this fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

const MS_BY_UNIT: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
}

/**
 * Ends a gRPC call once the time that its client gave it (`grpc-timeout`) has passed since now: the node is told by a cancellation,
 * the client by DEADLINE_EXCEEDED, in trailers when part of the answer is out. To be called as the request comes in, for one that has
 * the header; other kinds of requests are left alone. A node is not to blame: its health does not change.
 */
export function enforceGrpcDeadline(exchange: Exchange): void {
  const { headers } = exchange.request
  if (!isGrpc(headers['content-type'])) return
  const ms = readGrpcTimeout(String(headers['grpc-timeout']))
  if (ms === undefined || ms > LONGEST_TIMER_MS) return
  const timer = setTimeout(() => expire(exchange), ms).unref()
  exchange.response.once('close', () => clearTimeout(timer))
}

/** Milliseconds, rounded up; undefined for what is none by gRPC's grammar: at most eight digits and a unit. */
export function readGrpcTimeout(value: string): number | undefined {
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(value) ?? []
  return digits === undefined ? undefined : Math.ceil(Number(digits) * MS_BY_UNIT[unit!]!)
}

function expire(exchange: Exchange): void {
  exchange.attempts?.abort()
  // All of the answer is on its way: it tells how the call ended.
  if (exchange.response.writableEnded) return
  const message = 'the deadline that the client set for the call has passed'
  exchange.fail(new GatewayError('grpc_deadline_exceeded', 'client', { status: 504, message }))
}
