import type { FastifyPluginCallback } from 'fastify'

/** What readiness is told from; the lifecycle's `Readiness` fits. */
export interface ReadinessView {
  /** Names of what still keeps the process from serving. */
  reasons(): readonly string[]
  readonly isDraining: boolean
}

/** What a stop still waits for; the lifecycle's `Drain` fits. */
export interface DrainView {
  pending(): readonly { readonly component: string; readonly count: number }[]
}

/** Where else the status is told from. */
export interface StatusSources {
  /** What a person should know although the gateway serves. */
  remarks?(): readonly string[]
  readonly drain?: DrainView
}

/**
 * `GET /status` answers 200 as long as the process lives; `GET /status/ready` 200 or 503 with the reasons (contract §8.2, whose Content-Type it keeps),
 * and while a stop is under way with what that still waits for.
 */
export function statusPlugin(
  readiness: ReadinessView,
  { remarks = () => [], drain }: StatusSources = {},
): FastifyPluginCallback {
  return (app, _options, done) => {
    app.addHook('onSend', (_request, reply, payload, next) => {
      if (!reply.hasHeader('content-type')) reply.type('text/plain; charset=utf-8')
      reply.header('cache-control', 'no-store')
      next(null, payload)
    })
    app.get('/status', (_request, reply) => reply.send(JSON.stringify({ status: 'ok' })))
    app.get('/status/ready', (_request, reply) => {
      const answer = readinessAnswer(readiness, drain)
      const shown = remarks().length > 0 ? { ...answer, remarks: remarks() } : answer
      return reply.code(answer.status === 'ok' ? 200 : 503).send(JSON.stringify(shown))
    })
    done()
  }
}

interface ReadinessAnswer {
  readonly status: 'ok' | 'draining' | 'error'
  readonly error?: string
  readonly reasons?: readonly string[]
  readonly pending?: ReturnType<DrainView['pending']>
}

function readinessAnswer(readiness: ReadinessView, drain: DrainView | undefined): ReadinessAnswer {
  if (readiness.isDraining) {
    const pending = drain && { pending: drain.pending() }
    return { status: 'draining', error: 'the gateway is stopping', reasons: ['draining'], ...pending }
  }
  const reasons = readiness.reasons()
  if (reasons.length === 0) return { status: 'ok' }
  return { status: 'error', error: `waiting for ${reasons.join(', ')}`, reasons }
}
