import { createIpSet, IpAddressError, type IpSet } from '../../src/lib/ip-set.ts'
import { ConfigError, definePlugin, type FromSchema, type Reply } from '../../src/plugin/api.ts'

/** Contract §3.2, `ip_def`. What still is no address is refused by {@link toIpSet}. */
const ADDRESS = {
  anyOf: [
    { type: 'string', format: 'ipv4' },
    { type: 'string', pattern: '^(?:[0-9]{1,3}\\.){3}[0-9]{1,3}/(?:[0-9]|[12][0-9]|3[0-2])$' },
    { type: 'string', format: 'ipv6' },
    { type: 'string', pattern: '^[0-9a-fA-F.]*:[0-9a-fA-F:.]*/[0-9]{1,3}$' },
  ],
} as const

const schema = {
  type: 'object',
  properties: {
    whitelist: {
      type: 'array',
      minItems: 1,
      items: ADDRESS,
      description: 'Addresses and CIDR blocks that may pass; all others are refused.',
    },
    blacklist: {
      type: 'array',
      minItems: 1,
      items: ADDRESS,
      description: 'Addresses and CIDR blocks that are refused; exactly one of the two lists is given.',
    },
    message: {
      type: 'string',
      minLength: 1,
      maxLength: 1024,
      default: 'Your IP address is not allowed',
      description: 'What a refused client is told.',
    },
    response_code: {
      type: 'integer',
      enum: [403, 404],
      default: 403,
      description: 'Status of a refusal.',
    },
  },
  oneOf: [{ required: ['whitelist'] }, { required: ['blacklist'] }],
} as const

/** Lets requests in by the address of the client (contract §7.2). */
export default definePlugin<FromSchema<typeof schema>>({
  name: 'ip-restriction',
  priority: 3000,
  phases: ['access'],
  schema,
  check({ whitelist, blacklist }) {
    toIpSet([...(whitelist ?? []), ...(blacklist ?? [])])
  },
  compile({ whitelist, blacklist, message, response_code: status }) {
    const listed = toIpSet(whitelist ?? blacklist ?? [])
    const isListedAllowed = whitelist !== undefined
    const refusal: Reply = { status, body: { message } }
    return { access: (context) => (listed.has(context.remoteAddr) === isListedAllowed ? undefined : refusal) }
  },
})

function toIpSet(addresses: readonly string[]): IpSet {
  try {
    return createIpSet(addresses)
  } catch (error) {
    throw error instanceof IpAddressError ? new ConfigError(error.message) : error
  }
}
