import type { FastifyPluginCallback } from 'fastify'
import type { MetricRegistry } from '../observe/metrics.ts'

/** Serves the registry's series at `uri` in Prometheus' text format 0.0.4 (contract §8.3). */
export function metricsPlugin(registry: Pick<MetricRegistry, 'expose'>, uri: string): FastifyPluginCallback {
  return (app, _options, done) => {
    app.get(uri, (_request, reply) =>
      reply.type('text/plain; version=0.0.4; charset=utf-8').send(registry.expose()),
    )
    done()
  }
}
