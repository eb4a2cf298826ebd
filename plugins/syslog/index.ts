import { definePlugin, type FromSchema, type InstanceHost } from '../../src/plugin/api.ts'
import type { BatchParts } from '../_shared/batch/batch.ts'
import { batchName, batchProperties } from '../_shared/batch/schema.ts'
import { checkLog, logPhases } from '../_shared/log-entry/log-entry.ts'
import { compileLogger, loggerMetadata } from '../_shared/log-entry/logger.ts'
import { logProperties } from '../_shared/log-entry/schema.ts'
import { packEach, sendDatagramBatch } from '../_shared/sink/datagram-batch.ts'
import { sendToStream } from '../_shared/sink/stream-sink.ts'
import { formatSyslog } from './rfc5424.ts'

const schema = {
  type: 'object',
  properties: {
    host: { type: 'string', description: 'Name or address of the sink.' },
    port: { type: 'integer', description: 'Its port.' },
    sock_type: {
      type: 'string',
      enum: ['tcp', 'udp'],
      default: 'tcp',
      description: 'How messages are sent.',
    },
    tls: {
      type: 'boolean',
      default: false,
      description: 'Whether to speak TLS, over `tcp`; messages over `udp` go in the clear.',
    },
    ssl_verify: {
      type: 'boolean',
      default: true,
      description: 'Whether the certificate of the sink is checked.',
    },
    timeout: {
      type: 'integer',
      minimum: 1,
      default: 3000,
      description: 'Longest time in ms that the delivery of a batch takes.',
    },
    drop_limit: {
      type: 'integer',
      default: 1048576,
      description:
        'Most bytes of messages that may wait or be under way; further ones are dropped and counted.',
    },
    flush_limit: {
      type: 'integer',
      minimum: 1,
      default: 4096,
      description: 'Accepted, without effect: the attributes of batches say when messages are sent.',
    },
    pool_size: {
      type: 'integer',
      minimum: 5,
      default: 5,
      description: 'Accepted, without effect: each batch has a connection of its own.',
    },
    ...logProperties,
    ...batchProperties,
    name: batchName('sys logger'),
  },
  required: ['host', 'port'],
} as const

type Config = FromSchema<typeof schema>

const UDP_IS_CLEAR = '"tls" has no effect with sock_type udp: messages go in the clear; use sock_type tcp'
const REMEDY = 'leave out bodies, choose fields with log_format, or use sock_type tcp'

/** Sends entries as messages of RFC 5424 (contract §7.6). */
export default definePlugin<Config>({
  name: 'syslog',
  priority: 401,
  phases: logPhases,
  schema,
  metadataSchema: loggerMetadata,
  check: checkLog,
  compile(config, host) {
    const isOverUdp = config.sock_type === 'udp'
    if (isOverUdp && config.tls) host.logger.warn(UDP_IS_CLEAR)
    return compileLogger<string>({
      name: 'syslog',
      config,
      host,
      send: isOverUdp ? datagramSender(config) : streamSender(config, host),
      adapt: (entry, context) => messageOf(JSON.stringify(entry), context.host, host),
      maxPendingBytes: config.drop_limit,
    })
  },
})

function messageOf(text: string, hostname: string, { clock }: InstanceHost): string {
  return formatSyslog({ timeMs: clock.now(), hostname, processId: process.pid, text })
}

type Send = BatchParts<string>['send']

/** Messages end with a line feed, as APISIX sends them (RFC 6587 §3.4.2). */
function streamSender(config: Config, host: InstanceHost): Send {
  const sink = {
    host: config.host,
    port: config.port,
    timeoutMs: config.timeout,
    tls: config.tls ? { check: host.tlsOptions(config.ssl_verify), serverName: undefined } : undefined,
  }
  return (messages, signal) => sendToStream(sink, messages.map((message) => `${message}\n`).join(''), signal)
}

/** One message for each datagram (RFC 5426 §3.1). */
function datagramSender({ host, port, timeout: timeoutMs }: Config): Send {
  const sink = { host, port, timeoutMs }
  return (messages, signal) => {
    const texts = messages.map((message) => Buffer.from(message))
    return sendDatagramBatch(sink, packEach(texts, REMEDY), signal)
  }
}
