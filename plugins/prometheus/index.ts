import { definePlugin } from '../../src/plugin/api.ts'
import { declareFamilies } from './families.ts'
import { Recorder } from './recorder.ts'
import { attrSchema, metadataSchema, type PrometheusConfig, schema } from './schema.ts'

/** Counts requests, latencies and bytes for Prometheus (contract §8.3). */
export default definePlugin<PrometheusConfig>({
  name: 'prometheus',
  priority: 500,
  runPolicy: 'prefer_route',
  schema,
  metadataSchema,
  attrSchema,
  compile(config, host) {
    const recorder = new Recorder({
      families: declareFamilies(host),
      prefersName: config.prefer_name,
      metadata: () => host.metadata(),
    })
    return { log: (context) => recorder.record(context) }
  },
})
