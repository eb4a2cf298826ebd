import { ConfigError, definePlugin, type FromSchema, type Reply } from '../../src/plugin/api.ts'
import { isHeaderName } from '../_shared/headers/value.ts'
import { isValidToken, makeToken } from './token.ts'

const schema = {
  type: 'object',
  properties: {
    key: { type: 'string', minLength: 1, description: 'The secret that signs tokens.' },
    expires: {
      type: 'integer',
      default: 7200,
      description: 'Lifetime of a token in seconds; 0 or less is for ever.',
    },
    name: {
      type: 'string',
      default: 'apisix-csrf-token',
      description: 'Name of the cookie, and of the header that repeats it.',
    },
  },
  required: ['key'],
} as const

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])
const LAST_SECOND = Date.UTC(9999, 11, 31, 23, 59, 59) / 1000
const NO_TOKEN = refusal('no csrf token in headers')
const NO_COOKIE = refusal('no csrf cookie')
const MISMATCH = refusal('csrf token mismatch')
const NOT_SIGNED = refusal('Failed to verify the csrf token signature')

/** Refuses requests that another site made a browser send, by a signed cookie repeated in a header (contract §7.2). */
export default definePlugin<FromSchema<typeof schema>>({
  name: 'csrf',
  priority: 2980,
  phases: ['access', 'headerFilter'],
  schema,
  secretFields: ['key'],
  check({ name }) {
    if (!isHeaderName(name)) {
      throw new ConfigError(`name ${JSON.stringify(name)} cannot name a header and a cookie`)
    }
  },
  compile({ key, name, expires: lifetimeSeconds }, { clock }) {
    const header = name.toLowerCase()
    const nowSeconds = () => Math.floor(clock.now() / 1000)
    return {
      access(context) {
        if (SAFE_METHODS.has(context.method)) return undefined
        const token = context.headers.get(header)
        if (!token) return NO_TOKEN
        const cookie = context.cookie(name)
        if (!cookie) return NO_COOKIE
        if (token !== cookie) return MISMATCH
        return isValidToken(token, { key, lifetimeSeconds, nowSeconds: nowSeconds() })
          ? undefined
          : NOT_SIGNED
      },
      headerFilter({ response }) {
        const now = nowSeconds()
        const expires = cookieTime(now + lifetimeSeconds)
        const cookie = `${name}=${makeToken(key, now)};path=/;SameSite=Lax;Expires=${expires}`
        response.headers.append('Set-Cookie', cookie)
      },
    }
  },
})

function refusal(message: string): Reply {
  return { status: 401, body: { error_msg: message } }
}

/** `Fri, 20-Nov-26 23:06:57 GMT`, within the years that have four digits. */
function cookieTime(seconds: number): string {
  const bounded = Math.min(Math.max(seconds, 0), LAST_SECOND)
  const [weekday, day, month, year = '', time] = new Date(bounded * 1000).toUTCString().split(' ')
  return `${weekday} ${day}-${month}-${year.slice(-2)} ${time} GMT`
}
