import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyPluginCallback } from 'fastify'
import { createIpSet } from '../lib/ip-set.ts'
import { refuse, sendJson } from './answer.ts'

/** One part of the process, as the lifecycle shows it. */
export interface ComponentView {
  readonly name: string
  readonly rank: number
  readonly state: string
  readonly startMs?: number
}

interface Counted {
  readonly component: string
  readonly count: number
}

/** Where the process is between its start and its end. */
export interface LifecycleSource {
  readonly phase: 'starting' | 'running' | 'draining'
  /** What keeps it from being ready. */
  readonly notReady: readonly string[]
  readonly components: readonly ComponentView[]
  /** Present while it stops. */
  readonly drain?: {
    readonly mode: string
    /** How many pieces of work have ended since it began. */
    readonly acknowledged: number
    readonly pending: readonly Counted[]
    readonly forced: readonly Counted[]
  }
}

/** What stops the process, and for whom. */
export interface QuitSource {
  /** Whoever has one of these may. */
  readonly keys: readonly string[]
  quit(): void
}

const LOOPBACK = createIpSet(['127.0.0.0/8', '::1'])

type App = Parameters<FastifyPluginCallback>[0]

export function componentRoutes(app: App, source: () => LifecycleSource): void {
  app.get('/v1/components', (_request, reply) => {
    const { phase, notReady, components, drain } = source()
    return sendJson(reply, {
      phase,
      not_ready: notReady,
      components: components.map(({ startMs, ...shown }) => ({
        ...shown,
        ...(startMs !== undefined && { start_ms: startMs }),
      })),
      ...(drain && { drain }),
    })
  })
}

/** `POST /quitquitquit`, for those on the same machine who have an admin key (systems.md §6.4). */
export function quitRoute(app: App, { keys, quit }: QuitSource): void {
  const known = keys.map(digest)
  app.post('/quitquitquit', (request, reply) => {
    if (!LOOPBACK.has(request.socket.remoteAddress ?? ''))
      return refuse(reply, 403, 'only a client on the same machine may stop this process')
    const presented = request.headers['x-api-key']
    if (typeof presented !== 'string' || !isAmong(known, digest(presented)))
      return refuse(reply, 401, 'needs an admin key without scope in the header X-API-KEY')
    reply.raw.once('finish', quit)
    return sendJson(reply.code(202), { status: 'stopping' })
  })
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

/** Compares with every key, so that time tells nothing about any of them. */
function isAmong(known: readonly Buffer[], presented: Buffer): boolean {
  let isFound = false
  for (const one of known) if (timingSafeEqual(one, presented)) isFound = true
  return isFound
}
