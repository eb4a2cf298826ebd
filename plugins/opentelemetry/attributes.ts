import { type RequestContext, variableText } from '../../src/plugin/api.ts'
import type { Attribute } from '../_shared/otlp/span.ts'
import type { OpentelemetryConfig } from './schema.ts'

type Lists = Pick<OpentelemetryConfig, 'additional_attributes' | 'additional_header_prefix_attributes'>

/** What of a request becomes attributes of its span, under APISIX's names. */
export interface AttributeReader {
  /** Of the request as the client sent it: before other plugins run. */
  begin(context: RequestContext): Attribute[]
  /** Of everything that is known at the end. */
  end(context: RequestContext): Attribute[]
}

export function compileAttributes(config: Lists): AttributeReader {
  const variables = config.additional_attributes ?? []
  const isMeant = compileHeaderNames(config.additional_header_prefix_attributes ?? [])
  return {
    begin(context) {
      const attributes: Attribute[] = []
      const userAgent = context.headers.get('user-agent')
      if (userAgent !== undefined) attributes.push(['http.user_agent', userAgent])
      if (isMeant) attributes.push(...headerAttributes(context, isMeant))
      return attributes
    },
    end(context) {
      const attributes: Attribute[] = [
        ['net.host.name', context.host],
        ['http.method', context.method],
        ['http.scheme', context.scheme],
        ['http.target', context.requestUri],
        ...routeAttributes(context),
      ]
      for (const name of variables) addText(attributes, name, variableText(context.var(name)))
      if (context.hasResponse) attributes.push(['http.status_code', context.response.status])
      return attributes
    },
  }
}

function routeAttributes({ route }: RequestContext): Attribute[] {
  if (!route) return []
  const attributes: Attribute[] = [
    ['apisix.route_id', route.id],
    ['http.route', route.uri],
  ]
  addText(attributes, 'apisix.route_name', route.name)
  addText(attributes, 'apisix.service_id', route.serviceId)
  addText(attributes, 'apisix.service_name', route.serviceName)
  return attributes
}

/** Headers under their names in lower case; one that stands several times is joined. */
function headerAttributes({ headers }: RequestContext, isMeant: (name: string) => boolean): Attribute[] {
  const found = new Map<string, string>()
  const raw = headers.raw()
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase()
    if (!isMeant(name)) continue
    const earlier = found.get(name)
    found.set(name, earlier === undefined ? raw[i + 1]! : `${earlier}, ${raw[i + 1]!}`)
  }
  return [...found]
}

function compileHeaderNames(patterns: readonly string[]): ((name: string) => boolean) | undefined {
  if (patterns.length === 0) return undefined
  const lower = patterns.map((pattern) => pattern.toLowerCase())
  const prefixes = lower.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1))
  const names = new Set(lower.filter((pattern) => !pattern.endsWith('*')))
  return (name) => names.has(name) || prefixes.some((prefix) => name.startsWith(prefix))
}

function addText(attributes: Attribute[], key: string, value: string | undefined): void {
  if (value !== undefined) attributes.push([key, value])
}
