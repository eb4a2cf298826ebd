import type { FastifyPluginCallback } from 'fastify'

/** What readiness is told from; the lifecycle's `Readiness` fits. */
export interface ReadinessView {
  /** Names of what still keeps the process from serving. */
  reasons(): readonly string[]
  readonly isDraining: boolean
}

/**
 * `GET /status` answers 200 as long as the process lives; `GET /status/ready` 200 or 503 with the reasons (contract §8.2, whose Content-Type it keeps),
 * and remarks: what a person should know although it serves.
 */
export function statusPlugin(
  readiness: ReadinessView,
  remarks: () => readonly string[] = () => [],
): FastifyPluginCallback {
  return (app, _options, done) => {
    app.addHook('onSend', (_request, reply, payload, next) => {
      if (!reply.hasHeader('content-type')) reply.type('text/plain; charset=utf-8')
      reply.header('cache-control', 'no-store')
      next(null, payload)
    })
    app.get('/status', (_request, reply) => reply.send(JSON.stringify({ status: 'ok' })))
    app.get('/status/ready', (_request, reply) => {
      const answer = readinessAnswer(readiness)
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
}

function readinessAnswer(readiness: ReadinessView): ReadinessAnswer {
  if (readiness.isDraining) {
    return { status: 'draining', error: 'the gateway is stopping', reasons: ['draining'] }
  }
  const reasons = readiness.reasons()
  if (reasons.length === 0) return { status: 'ok' }
  return { status: 'error', error: `waiting for ${reasons.join(', ')}`, reasons }
}
