/**
 * Plugins of APISIX's catalogue that only observe: a stored item that names one we do not have still serves, with a warning.
 * Any other unknown name quarantines its item, because traffic must not pass unguarded (decisions.md 22).
 */
export const OBSERVING_PLUGINS: ReadonlySet<string> = new Set([
  'clickhouse-logger',
  'data-mask',
  'datadog',
  'elasticsearch-logger',
  'error-log-logger',
  'file-logger',
  'google-cloud-logging',
  'http-logger',
  'inspect',
  'kafka-logger',
  'lago',
  'log-rotate',
  'loggly',
  'loki-logger',
  'node-status',
  'opentelemetry',
  'prometheus',
  'rocketmq-logger',
  'server-info',
  'skywalking',
  'skywalking-logger',
  'sls-logger',
  'splunk-hec-logging',
  'syslog',
  'tcp-logger',
  'tencent-cloud-cls',
  'udp-logger',
  'zipkin',
])
