import { definePlugin, type FromSchema } from '../../src/plugin/api.ts'
import { batchName, batchProperties } from '../_shared/batch/schema.ts'
import { calloutOptions } from '../_shared/callout/options.ts'
import { calloutFields } from '../_shared/callout/schema.ts'
import { checkServiceUrl } from '../_shared/callout/service-url.ts'
import { checkLog, logPhases } from '../_shared/log-entry/log-entry.ts'
import { compileLogger, loggerMetadata } from '../_shared/log-entry/logger.ts'
import { logProperties } from '../_shared/log-entry/schema.ts'
import { postEntries } from '../_shared/sink/http-sink.ts'
import { compileLabels, encodePush, type LokiLine, nanoseconds } from './streams.ts'

const texts = { type: 'object', patternProperties: { '.*': { type: 'string', minLength: 1 } } } as const

const schema = {
  type: 'object',
  properties: {
    endpoint_addrs: {
      type: 'array',
      minItems: 1,
      items: { type: 'string' },
      description: 'Base URLs of Loki; each batch goes to one of them.',
    },
    endpoint_uri: {
      type: 'string',
      minLength: 1,
      default: '/loki/api/v1/push',
      description: 'Path that entries are pushed to.',
    },
    tenant_id: {
      type: 'string',
      default: 'fake',
      description: 'Value of the header `X-Scope-OrgID`.',
    },
    headers: { ...texts, description: 'More headers of a push.' },
    log_labels: {
      ...texts,
      default: { job: 'apisix' },
      description: 'Labels of the stream; variables in them are those of each request.',
    },
    ...calloutFields,
    ...logProperties,
    ...batchProperties,
    name: batchName('loki logger'),
  },
  required: ['endpoint_addrs'],
} as const

type Config = FromSchema<typeof schema>

/** Pushes entries to Grafana Loki (contract §7.6). */
export default definePlugin<Config>({
  name: 'loki-logger',
  priority: 414,
  phases: logPhases,
  schema,
  metadataSchema: loggerMetadata,
  check(config) {
    for (const [i, address] of config.endpoint_addrs.entries())
      checkServiceUrl(address, `endpoint_addrs[${i}]`)
    checkLog(config)
  },
  compile(config, host) {
    const urls = config.endpoint_addrs.map((address) => address + config.endpoint_uri)
    const headers = {
      'Content-Type': 'application/json',
      'X-Scope-OrgID': config.tenant_id,
      ...(config.headers as Record<string, string> | undefined),
    }
    const labelsOf = compileLabels(config.log_labels as Record<string, string>)
    return compileLogger<LokiLine>({
      name: 'loki-logger',
      config,
      host,
      adapt(entry, context) {
        entry['route_id'] ??= 'no-matched'
        const time = nanoseconds(host.clock.now() - context.stats.totalMs)
        return { labels: labelsOf(context), time, text: JSON.stringify(entry) }
      },
      send: (lines, signal) =>
        postEntries(host.http, {
          ...calloutOptions(config),
          url: urls[Math.floor(Math.random() * urls.length)]!,
          headers,
          body: encodePush(lines),
          failsFrom: 300,
          signal,
        }),
    })
  },
})
