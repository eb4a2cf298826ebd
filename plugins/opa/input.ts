import type { Headers, InstanceHost, RequestContext } from '../../src/plugin/api.ts'
import { parseArgs } from './query-args.ts'
import type { OpaConfig } from './schema.ts'

type Table = Record<string, unknown>

/** The body of the question about one request (contract §7.1). */
export function describeRequest(context: RequestContext, config: OpaConfig, host: InstanceHost): string {
  const input = {
    type: 'http',
    request: {
      scheme: context.scheme,
      method: context.method,
      host: context.host,
      port: Number(context.var('server_port')),
      path: context.path,
      headers: tableOf(context.headers),
      query: parseArgs(context.queryString),
    },
    var: {
      server_addr: context.var('server_addr'),
      server_port: context.var('server_port'),
      remote_addr: context.remoteAddr,
      remote_port: String(context.remotePort),
      timestamp: Math.floor(host.clock.now() / 1000),
    },
    ...(config.with_route && { route: describeRoute(context, host) }),
    ...(config.with_service && { service: host.stored('service', context) }),
    ...(config.with_consumer && { consumer: describeConsumer(context, host) }),
  }
  return JSON.stringify({ input })
}

/** Where it goes is not for a policy to know (contract §7.1). */
function describeRoute(context: RequestContext, host: InstanceHost): Table | undefined {
  const { upstream: _, ...route } = host.stored('route', context) ?? {}
  return context.route && route
}

/** The names under which APISIX keeps who was found beside what is stored. */
function describeConsumer(context: RequestContext, host: InstanceHost): Table | undefined {
  const { consumer } = context
  if (!consumer) return undefined
  const { name, credentialId } = consumer
  return { ...host.stored('consumer', context), consumer_name: name, credential_id: credentialId }
}

/** Names in lower case; several lines of one name are an array. */
function tableOf(headers: Headers): Table {
  const table: Table = Object.create(null)
  const raw = headers.raw()
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase()
    if (table[name] !== undefined) continue
    const values = headers.all(name)
    table[name] = values.length === 1 ? values[0] : values
  }
  return table
}
