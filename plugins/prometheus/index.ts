import { definePlugin, type PluginHost, type PublicApi } from '../../src/plugin/api.ts'
import { declareFamilies } from './families.ts'
import { Recorder } from './recorder.ts'
import { attrSchema, metadataSchema, type PrometheusConfig, schema } from './schema.ts'

/** Counts requests, latencies and bytes for Prometheus (contract §8.3). */
export default definePlugin<PrometheusConfig>({
  name: 'prometheus',
  priority: 500,
  phases: ['log'],
  runPolicy: 'prefer_route',
  schema,
  metadataSchema,
  attrSchema,
  /** Only where the metrics have no listener of their own: else a route could show them to clients by accident. */
  publicApi: (host) => (host.attr['enable_export_server'] === false ? [metricsApi(host)] : []),
  compile(config, host) {
    const recorder = new Recorder({
      families: declareFamilies(host),
      prefersName: config.prefer_name,
      metadata: () => host.metadata(),
    })
    return { log: (context) => recorder.record(context) }
  },
})

function metricsApi({ metrics, attr }: PluginHost): PublicApi {
  return {
    methods: ['GET'],
    uri: attr['export_uri'] as string,
    async handle() {
      let body = ''
      for await (const piece of metrics.exposeInSlices()) body += piece
      return { status: 200, body, headers: { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' } }
    },
  }
}
