import type { ConsumerView, Headers, RequestContext, RouteView } from '../../src/plugin/api.ts'
import { parseArgs } from './query-args.ts'
import type { OpaConfig } from './schema.ts'

type Table = Record<string, unknown>

/** The body of the question about one request (contract §7.1). */
export function describeRequest(context: RequestContext, config: OpaConfig, nowMs: number): string {
  const { route, consumer } = context
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
      timestamp: Math.floor(nowMs / 1000),
    },
    ...(config.with_route && route && { route: describeRoute(route) }),
    ...(config.with_service && route?.serviceId !== undefined && { service: describeService(route) }),
    ...(config.with_consumer && consumer && { consumer: describeConsumer(consumer) }),
  }
  return JSON.stringify({ input })
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

function describeRoute({ id, name, uri, host, serviceId }: RouteView): Table {
  return { id, name, uri, host, service_id: serviceId }
}

function describeService({ serviceId, serviceName }: RouteView): Table {
  return { id: serviceId, name: serviceName }
}

function describeConsumer({ name, groupId, labels, credentialId }: ConsumerView): Table {
  return { username: name, group_id: groupId, labels, credential_id: credentialId }
}
