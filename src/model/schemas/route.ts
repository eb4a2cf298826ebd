import { described, host, hosts, id, plugins, remoteAddr, script, timeout } from './definitions.ts'
import { upstreamSchema } from './upstream.ts'

const atMostOneOf = <const A extends string, const B extends string>(one: A, many: B) =>
  ({
    oneOf: [
      { required: [one] },
      { required: [many] },
      { not: { anyOf: [{ required: [one] }, { required: [many] }] } },
    ],
  }) as const

/** Contract §3.3. */
export const routeSchema = {
  type: 'object',
  properties: {
    ...described,
    uri: { type: 'string', minLength: 1, maxLength: 4096 },
    uris: { type: 'array', items: { type: 'string' }, minItems: 1, uniqueItems: true },
    priority: { type: 'integer', default: 0 },
    methods: {
      type: 'array',
      description: 'empty means any',
      items: {
        type: 'string',
        enum: ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'CONNECT', 'TRACE', 'PURGE'],
      },
      uniqueItems: true,
    },
    host,
    hosts,
    remote_addr: remoteAddr,
    remote_addrs: { type: 'array', items: remoteAddr, minItems: 1, uniqueItems: true },
    timeout,
    vars: { type: 'array' },
    filter_func: {
      type: 'string',
      description: 'a JavaScript function of the request variables, such as function(vars) { return … }',
      minLength: 10,
      pattern: '^function',
    },
    script,
    script_id: id,
    plugins,
    plugin_config_id: id,
    upstream: upstreamSchema,
    upstream_id: id,
    service_id: id,
    enable_websocket: { type: 'boolean' },
    status: { type: 'integer', description: '1 to serve, 0 not to', enum: [1, 0], default: 1 },
  },
  allOf: [
    { oneOf: [{ required: ['uri'] }, { required: ['uris'] }] },
    atMostOneOf('host', 'hosts'),
    atMostOneOf('remote_addr', 'remote_addrs'),
  ],
  anyOf: [
    { required: ['plugins', 'uri'] },
    { required: ['upstream', 'uri'] },
    { required: ['upstream_id', 'uri'] },
    { required: ['service_id', 'uri'] },
    { required: ['plugins', 'uris'] },
    { required: ['upstream', 'uris'] },
    { required: ['upstream_id', 'uris'] },
    { required: ['service_id', 'uris'] },
    { required: ['script', 'uri'] },
    { required: ['script', 'uris'] },
  ],
  not: { anyOf: [{ required: ['script', 'plugins'] }, { required: ['script', 'plugin_config_id'] }] },
  additionalProperties: false,
} as const
