import { definePlugin, type FromSchema } from '../../src/plugin/api.ts'
import { batchName, batchProperties } from '../_shared/batch/schema.ts'
import { encodeBatch } from '../_shared/log-entry/encode.ts'
import { checkLog, logPhases } from '../_shared/log-entry/log-entry.ts'
import { compileLogger, loggerMetadata } from '../_shared/log-entry/logger.ts'
import { logProperties } from '../_shared/log-entry/schema.ts'
import { type StreamSink, sendToStream } from '../_shared/sink/stream-sink.ts'

const schema = {
  type: 'object',
  properties: {
    host: { type: 'string', description: 'Name or address of the sink.' },
    port: { type: 'integer', minimum: 0, description: 'Its port.' },
    tls: { type: 'boolean', default: false, description: 'Whether to speak TLS.' },
    tls_options: {
      type: 'string',
      description:
        'Name to ask for in the TLS handshake, and to look for in the certificate, instead of `host`.',
    },
    ssl_verify: {
      type: 'boolean',
      default: true,
      description: 'Whether the certificate of the sink is checked.',
    },
    timeout: {
      type: 'integer',
      minimum: 1,
      default: 1000,
      description: 'Longest time in ms that the delivery of a batch takes.',
    },
    ...logProperties,
    ...batchProperties,
    name: batchName('tcp logger'),
  },
  required: ['host', 'port'],
} as const

/** Sends entries as JSON over TCP, one connection for each batch (contract §7.6). */
export default definePlugin<FromSchema<typeof schema>>({
  name: 'tcp-logger',
  priority: 405,
  phases: logPhases,
  schema,
  metadataSchema: loggerMetadata,
  check: checkLog,
  compile(config, host) {
    const sink: StreamSink = {
      host: config.host,
      port: config.port,
      timeoutMs: config.timeout,
      tls: config.tls
        ? { check: host.tlsOptions(config.ssl_verify), serverName: config.tls_options }
        : undefined,
    }
    return compileLogger({
      name: 'tcp-logger',
      config,
      host,
      send: (entries, signal) => sendToStream(sink, encodeBatch(entries, config.batch_max_size), signal),
    })
  },
})
