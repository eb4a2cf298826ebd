import { parseHost } from '../../src/lib/host.ts'
import { definePlugin, type FromSchema, type Reply } from '../../src/plugin/api.ts'
import { compileHosts } from './hosts.ts'

/** Contract §3.2, `host_def`. */
const HOSTS = {
  type: 'array',
  minItems: 1,
  items: { type: 'string', pattern: '^\\*$|^\\*?[0-9a-zA-Z\\-._\\[\\]:]+$' },
} as const

const schema = {
  type: 'object',
  properties: {
    whitelist: {
      ...HOSTS,
      description:
        'Hosts whose pages may send requests, `*.a.com` for all below one; all others are refused.',
    },
    blacklist: {
      ...HOSTS,
      description: 'Hosts whose pages may not; exactly one of the two lists is given.',
    },
    bypass_missing: {
      type: 'boolean',
      default: false,
      description: 'Let requests pass that have no `Referer`, or one that is no URL.',
    },
    message: {
      type: 'string',
      minLength: 1,
      maxLength: 1024,
      default: 'Your referer host is not allowed',
      description: 'What a refused client is told.',
    },
  },
  oneOf: [{ required: ['whitelist'] }, { required: ['blacklist'] }],
} as const

const AUTHORITY = /^https?:\/\/([^/?#\\]+)/i

/** Lets requests in by the host of the page they come from (contract §7.2). */
export default definePlugin<FromSchema<typeof schema>>({
  name: 'referer-restriction',
  priority: 2990,
  phases: ['access'],
  schema,
  compile({ whitelist, blacklist, bypass_missing: mayBeMissing, message }) {
    const isListed = compileHosts(whitelist ?? blacklist ?? [])
    const isListedAllowed = whitelist !== undefined
    const refusal: Reply = { status: 403, body: { message } }
    const missing = mayBeMissing ? undefined : refusal
    return {
      access(context) {
        const referers = context.headers.all('referer')
        if (referers.length === 0) return missing
        // Of several lines each must pass: which of them the upstream reads is not known.
        for (const referer of referers) {
          const host = hostOf(referer)
          const verdict =
            host === undefined ? missing : isListed(host) === isListedAllowed ? undefined : refusal
          if (verdict) return verdict
        }
        return undefined
      },
    }
  },
})

/** Lower-case and without port; `undefined` for what is no http URL. User information makes it none: no browser sends it. */
function hostOf(referer: string): string | undefined {
  const authority = AUTHORITY.exec(referer.trim())?.[1]
  return authority === undefined ? undefined : parseHost(authority)?.host
}
