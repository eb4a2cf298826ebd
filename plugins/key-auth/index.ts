import { definePlugin, type FromSchema } from '../../src/plugin/api.ts'
import { compileRefusal } from '../_shared/auth/refusal.ts'
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
  type: 'auth',
  schema,
  consumerSchema,
  consumerKey: 'key',
  secretFields: ['key'],
  compile(config, host) {
    const header = config.header.toLowerCase()
    const { query, hide_credentials: hidesCredentials } = config
    const refuse = compileRefusal(
      { challenge: `apikey realm="${config.realm}"`, anonymousConsumer: config.anonymous_consumer },
      host,
    )
    return {
      rewrite(context) {
        const fromHeader = context.headers.get(header)
        const key = fromHeader ?? context.arg(query)
        if (key === undefined) return refuse(context, 'Missing API key in request')
        const consumer = context.findConsumer('key-auth', key)
        if (!consumer) return refuse(context, 'Invalid API key in request')
        if (hidesCredentials) {
          if (fromHeader === undefined) context.removeArg(query)
          else context.headers.remove(header)
        }
        context.attachConsumer(consumer)
        return undefined
      },
    }
  },
})
