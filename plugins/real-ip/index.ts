import { createIpSet, IpAddressError, type IpSet } from '../../src/lib/ip-set.ts'
import {
  ConfigError,
  definePlugin,
  type FromSchema,
  type RequestContext,
  variableText,
} from '../../src/plugin/api.ts'
import { parseAddress } from './address.ts'

const schema = {
  type: 'object',
  properties: {
    source: {
      type: 'string',
      minLength: 1,
      description: "Variable that has the client's address, such as `http_x_forwarded_for` or `arg_realip`.",
    },
    trusted_addresses: {
      type: 'array',
      minItems: 1,
      items: { type: 'string' },
      description: 'Addresses and CIDR blocks whose word is taken; everyone’s unless given.',
    },
    recursive: {
      type: 'boolean',
      default: false,
      description: 'With `http_x_forwarded_for`: pass over trusted addresses, from the right.',
    },
  },
  required: ['source'],
} as const

type FindAddress = (context: RequestContext) => string | undefined

const FORWARDED_FOR = 'http_x_forwarded_for'

/** Takes the client's address from a header or another variable (contract §7.2). */
export default definePlugin<FromSchema<typeof schema>>({
  name: 'real-ip',
  priority: 23000,
  phases: ['rewrite'],
  schema,
  check: ({ trusted_addresses }) => void toIpSet(trusted_addresses),
  compile({ source, trusted_addresses, recursive }, host) {
    const trusted = toIpSet(trusted_addresses)
    const find = compileSource(source, recursive ? trusted : undefined)
    return {
      rewrite(context) {
        if (trusted && !trusted.has(context.remoteAddr)) return
        const text = find(context)
        const address = text === undefined ? undefined : parseAddress(text)
        if (address) context.setClientAddress(address.ip, address.port)
        else
          host.logger.debug({ source, found: text }, 'no address of a client; that of its connection stays')
      },
    }
  },
})

function toIpSet(addresses: readonly string[] | undefined): IpSet | undefined {
  try {
    return addresses && createIpSet(addresses)
  } catch (error) {
    throw error instanceof IpAddressError ? new ConfigError(error.message) : error
  }
}

function compileSource(source: string, skipped: IpSet | undefined): FindAddress {
  if (source === FORWARDED_FOR) return (context) => fromChain(context, skipped)
  // A header that stands twice names no one: the second line may be the client's own.
  const header = source.startsWith('http_') ? source.slice('http_'.length).replaceAll('_', '-') : undefined
  if (header !== undefined) {
    const lowerName = header.toLowerCase()
    return (context) =>
      context.headers.has(lowerName) ? context.headers.all(lowerName).join(', ') : undefined
  }
  return (context) => variableText(context.var(source))
}

/** The last address of the chain, or the last that is not trusted; the first when all are. */
function fromChain({ headers }: RequestContext, skipped: IpSet | undefined): string | undefined {
  const lines = headers.all('x-forwarded-for')
  if (lines.length === 0) return undefined
  const chain = lines.join(',').split(',')
  let last = chain.length - 1
  while (skipped && last > 0 && isSkipped(chain[last]!.trim(), skipped)) last--
  return chain[last]!.trim()
}

function isSkipped(text: string, skipped: IpSet): boolean {
  const address = parseAddress(text)
  return address !== undefined && skipped.has(address.ip)
}
