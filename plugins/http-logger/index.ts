import { definePlugin, type FromSchema } from '../../src/plugin/api.ts'
import { batchName, batchProperties } from '../_shared/batch/schema.ts'
import { checkServiceUrl } from '../_shared/callout/service-url.ts'
import { encodeBatch } from '../_shared/log-entry/encode.ts'
import { checkLog, logPhases } from '../_shared/log-entry/log-entry.ts'
import { compileLogger, loggerMetadata } from '../_shared/log-entry/logger.ts'
import { logProperties } from '../_shared/log-entry/schema.ts'
import { postEntries } from '../_shared/sink/http-sink.ts'

const schema = {
  type: 'object',
  properties: {
    uri: { type: 'string', description: 'Where entries are posted: a URL with `http://` or `https://`.' },
    auth_header: { type: 'string', default: '', description: 'Value of the header `Authorization`.' },
    timeout: {
      type: 'integer',
      minimum: 1,
      default: 3,
      description: 'Longest time in seconds that the delivery of a batch takes.',
    },
    concat_method: {
      type: 'string',
      enum: ['json', 'new_line'],
      default: 'json',
      description: '`json`: the entries of a batch as a list; `new_line`: one JSON object for each line.',
    },
    ssl_verify: {
      type: 'boolean',
      default: true,
      description: 'Whether the certificate of the sink is checked.',
    },
    ...logProperties,
    ...batchProperties,
    name: batchName('http logger'),
  },
  required: ['uri'],
} as const

type Config = FromSchema<typeof schema>

/** Posts entries as JSON (contract §7.6). */
export default definePlugin<Config>({
  name: 'http-logger',
  priority: 410,
  phases: logPhases,
  schema,
  metadataSchema: loggerMetadata,
  secretFields: ['auth_header'],
  check(config) {
    checkServiceUrl(config.uri, 'uri')
    checkLog(config)
  },
  compile(config, host) {
    const { concat_method: method, batch_max_size: batchMaxSize } = config
    const delivery = {
      url: config.uri,
      headers: headersOf(config),
      timeoutMs: config.timeout * 1000,
      tls: { verify: config.ssl_verify },
      failsFrom: 400,
    }
    return compileLogger({
      name: 'http-logger',
      config,
      host,
      send: (entries, signal) =>
        postEntries(host.http, {
          ...delivery,
          signal,

          body: method === 'new_line' ? encodeLines(entries) : encodeBatch(entries, batchMaxSize),
        }),
      adapt(entry) {
        entry['route_id'] ??= 'no-matched'
        return entry
      },
    })
  },
})

function headersOf(config: Config): Record<string, string> {
  const { auth_header: authorization, concat_method: method } = config
  return {
    'Content-Type': method === 'new_line' ? 'text/plain' : 'application/json',
    ...(authorization !== '' && { Authorization: authorization }),
  }
}

function encodeLines(entries: readonly unknown[]): string {
  return entries.map((entry) => JSON.stringify(entry)).join('\n')
}
