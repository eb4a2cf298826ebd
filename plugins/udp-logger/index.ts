import { definePlugin, type FromSchema } from '../../src/plugin/api.ts'
import { batchName, batchProperties } from '../_shared/batch/schema.ts'
import { checkLog, logPhases } from '../_shared/log-entry/log-entry.ts'
import { compileLogger, loggerMetadata } from '../_shared/log-entry/logger.ts'
import { logProperties } from '../_shared/log-entry/schema.ts'
import { sendDatagramBatch } from '../_shared/sink/datagram-batch.ts'
import type { DatagramSink } from '../_shared/sink/datagram-sink.ts'
import { packDatagrams } from './datagrams.ts'

const schema = {
  type: 'object',
  properties: {
    host: { type: 'string', description: 'Name or address of the sink.' },
    port: { type: 'integer', minimum: 0, description: 'Its port.' },
    timeout: {
      type: 'integer',
      minimum: 1,
      default: 3,
      description: 'Longest time in seconds that the delivery of a batch takes.',
    },
    ...logProperties,
    ...batchProperties,
    name: batchName('udp logger'),
  },
  required: ['host', 'port'],
} as const

/** Sends entries as JSON in UDP datagrams (contract §7.6). */
export default definePlugin<FromSchema<typeof schema>>({
  name: 'udp-logger',
  priority: 400,
  phases: logPhases,
  schema,
  metadataSchema: loggerMetadata,
  check: checkLog,
  compile(config, host) {
    const sink: DatagramSink = { host: config.host, port: config.port, timeoutMs: config.timeout * 1000 }
    return compileLogger({
      name: 'udp-logger',
      config,
      host,
      send: (entries, signal) =>
        sendDatagramBatch(sink, packDatagrams(entries, config.batch_max_size), signal),
    })
  },
})
