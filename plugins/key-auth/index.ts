import { definePlugin, type FromSchema, type RequestContext } from '../../src/plugin/api.ts'
import { compileAuthentication } from '../_shared/auth/authentication.ts'
import { isRepeated } from '../_shared/auth/repeated.ts'
import { anonymousConsumer, hideCredentials, REALM } from '../_shared/auth/schema.ts'

const schema = {
  type: 'object',
  properties: {
    header: { type: 'string', default: 'apikey', description: 'Header that carries the key; asked first.' },
    query: {
      type: 'string',
      default: 'apikey',
      description: 'Query argument that carries the key when the header is absent.',
    },
    hide_credentials: hideCredentials,
    realm: { ...REALM, default: 'key' },
    anonymous_consumer: anonymousConsumer,
  },
} as const

const consumerSchema = {
  type: 'object',
  properties: { key: { type: 'string', description: 'The secret key, unique among consumers.' } },
  required: ['key'],
} as const

/** Identifies the consumer by a key in a header or in the query (contract §7.1). */
export default definePlugin<FromSchema<typeof schema>>({
  name: 'key-auth',
  priority: 2500,
  phases: ['rewrite'],
  type: 'auth',
  schema,
  consumerSchema,
  consumerKey: 'key',
  secretFields: ['key'],
  compile(config, host) {
    const header = config.header.toLowerCase()
    const { query } = config
    const rewrite = compileAuthentication(
      {
        challenge: `apikey realm="${config.realm}"`,
        anonymousConsumer: config.anonymous_consumer,
        identify(context) {
          const key = context.headers.get(header) ?? context.arg(query)
          if (key === undefined) return 'Missing API key in request'
          const consumer = isRepeated(context.headers, header)
            ? undefined
            : context.findConsumer('key-auth', key)
          return consumer ?? 'Invalid API key in request'
        },
        hide: config.hide_credentials ? compileHiding(header, query) : undefined,
      },
      host,
    )
    return { rewrite }
  },
})

function compileHiding(header: string, query: string): (context: RequestContext) => void {
  return (context) => {
    if (context.headers.has(header)) context.headers.remove(header)
    else context.removeArg(query)
  }
}
