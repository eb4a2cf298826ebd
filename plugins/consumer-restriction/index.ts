import { definePlugin, type FromSchema, type Reply, type RequestContext } from '../../src/plugin/api.ts'

const NAMES = { type: 'array', minItems: 1, items: { type: 'string' } } as const

const schema = {
  type: 'object',
  properties: {
    type: {
      type: 'string',
      enum: ['consumer_name', 'service_id', 'route_id', 'consumer_group_id'],
      default: 'consumer_name',
      description: 'What of the request the lists are about.',
    },
    blacklist: { ...NAMES, description: 'Those who are refused, whatever else is said of them.' },
    whitelist: { ...NAMES, description: 'Those who may pass, with any method; all others are refused.' },
    allowed_by_methods: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          user: { type: 'string', description: 'Whom the methods are for.' },
          methods: {
            type: 'array',
            minItems: 1,
            items: {
              type: 'string',
              enum: ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'CONNECT', 'TRACE', 'PURGE'],
            },
            description: 'The only methods that this one may use.',
          },
        },
      },
      description: 'Methods by user; it binds only those it names, the first entry of each.',
    },
    rejected_code: {
      type: 'integer',
      minimum: 200,
      maximum: 999,
      default: 403,
      description: 'Status of a refusal.',
    },
    rejected_msg: { type: 'string', description: 'What a refused client is told.' },
  },
  anyOf: [{ required: ['blacklist'] }, { required: ['whitelist'] }, { required: ['allowed_by_methods'] }],
} as const

type Config = FromSchema<typeof schema>

const SUBJECTS: Readonly<Record<Config['type'], (context: RequestContext) => string | undefined>> = {
  consumer_name: ({ consumer }) => consumer?.name,
  service_id: ({ route }) => route?.serviceId,
  route_id: ({ route }) => route?.id,
  consumer_group_id: ({ consumer }) => consumer?.groupId,
}

/** Lets requests in by consumer, consumer group, route or service (contract §7.1). */
export default definePlugin<Config>({
  name: 'consumer-restriction',
  priority: 2400,
  phases: ['access'],
  schema,
  compile(config) {
    const { type, rejected_code: status } = config
    const subjectOf = SUBJECTS[type]
    const message = config.rejected_msg ?? `The ${type} is forbidden.`
    const forbidden: Reply = { status, body: { message } }
    const unknown: Reply = {
      status: 401,
      body: { message: `The request is rejected, please check the ${type} for this request` },
    }
    const mayPass = compileRule(config)
    return {
      access(context) {
        const subject = subjectOf(context)
        if (subject === undefined) return unknown
        return mayPass(subject, context.method) ? undefined : forbidden
      },
    }
  },
})

function compileRule(config: Config): (subject: string, method: string) => boolean {
  const refused = new Set(config.blacklist)
  const allowed = config.whitelist && new Set(config.whitelist)
  const methods = methodsByUser(config.allowed_by_methods)
  return (subject, method) => {
    if (refused.has(subject)) return false
    if (allowed) return allowed.has(subject)
    return methods.get(subject)?.has(method) ?? true
  }
}

function methodsByUser(entries: Config['allowed_by_methods'] = []): ReadonlyMap<string, ReadonlySet<string>> {
  const methods = new Map<string, ReadonlySet<string>>()
  for (const { user, methods: listed } of entries) {
    if (user !== undefined && !methods.has(user)) methods.set(user, new Set(listed))
  }
  return methods
}
