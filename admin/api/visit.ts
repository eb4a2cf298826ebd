import type { FastifyRequest } from 'fastify'
import type { Caller } from './auth.ts'
import type { Endpoint } from './call.ts'

/** What becomes known of one request, from its first byte to its answer; filled in on the way. */
export interface Visit {
  readonly startedAtMs: number
  readonly clientAddress: string
  readonly userAgent: string | undefined
  readonly method: string
  caller?: Caller
  /** Of the path below `/apisix/admin`, without empty ones. */
  segments?: readonly string[]
  touches?: Endpoint['touches']
  isDryRun?: boolean
  isForced?: boolean
}

export function openVisit({ method, headers, socket }: FastifyRequest): Visit {
  return {
    startedAtMs: performance.now(),
    clientAddress: socket.remoteAddress ?? '',
    userAgent: headers['user-agent'],
    method,
  }
}
