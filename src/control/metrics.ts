import { Readable } from 'node:stream'
import type { FastifyPluginCallback } from 'fastify'
import type { MetricRegistry } from '../observe/metrics.ts'

/** Serves the registry's series at `uri` in Prometheus' text format 0.0.4 (contract §8.3), in pieces: a scrape holds up no request. */
export function metricsPlugin(
  registry: Pick<MetricRegistry, 'exposeInSlices'>,
  uri: string,
): FastifyPluginCallback {
  return (app, _options, done) => {
    app.get(uri, (_request, reply) =>
      reply
        .type('text/plain; version=0.0.4; charset=utf-8')
        .send(Readable.from(registry.exposeInSlices(), { objectMode: false })),
    )
    done()
  }
}
