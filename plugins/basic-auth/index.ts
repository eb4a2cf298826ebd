import { randomBytes } from 'node:crypto'
import {
  definePlugin,
  type FoundConsumer,
  type FromSchema,
  type RequestContext,
} from '../../src/plugin/api.ts'
import { compileAuthentication } from '../_shared/auth/authentication.ts'
import { oncePerConfig } from '../_shared/auth/prepare.ts'
import { isRepeated } from '../_shared/auth/repeated.ts'
import { anonymousConsumer, hideCredentials, REALM } from '../_shared/auth/schema.ts'
import { digestOf, isSame } from '../_shared/auth/secret-digest.ts'
import { type BasicCredentials, readBasic } from './authorization.ts'

const schema = {
  type: 'object',
  properties: {
    hide_credentials: hideCredentials,
    realm: { ...REALM, default: 'basic' },
    anonymous_consumer: anonymousConsumer,
  },
} as const

const consumerSchema = {
  type: 'object',
  properties: {
    username: { type: 'string', description: 'The name to log in with, unique among consumers.' },
    password: { type: 'string', description: 'The password.' },
  },
  required: ['username', 'password'],
} as const

const passwordOf = oncePerConfig(({ password }: FromSchema<typeof consumerSchema>) => digestOf(password))

/** What the password of a name that nobody has is compared with. */
const NOBODYS = digestOf(randomBytes(32))

/** Identifies the consumer by name and password of HTTP's Basic scheme (contract §7.1). */
export default definePlugin<FromSchema<typeof schema>>({
  name: 'basic-auth',
  priority: 2520,
  phases: ['rewrite'],
  type: 'auth',
  schema,
  consumerSchema,
  consumerKey: 'username',
  secretFields: ['password'],
  compile(config, host) {
    const rewrite = compileAuthentication(
      {
        challenge: `Basic realm="${config.realm}"`,
        anonymousConsumer: config.anonymous_consumer,
        identify,
        hide: config.hide_credentials ? hide : undefined,
      },
      host,
    )
    return { rewrite }
  },
})

function identify(context: RequestContext): FoundConsumer | string {
  const authorization = context.headers.get('authorization')
  if (authorization === undefined) return 'Missing authorization in request'
  const credentials = isRepeated(context.headers, 'authorization') ? undefined : readBasic(authorization)
  if (!credentials) return 'Invalid authorization in request'
  return findOwner(context, credentials) ?? 'Invalid user authorization'
}

const hide = ({ headers }: RequestContext): void => headers.remove('authorization')

/** The consumer of that name, if the password is theirs. */
function findOwner(context: RequestContext, given: BasicCredentials): FoundConsumer | undefined {
  const consumer =
    context.findConsumer('basic-auth', given.username) ??
    context.findConsumer('basic-auth', given.apisix.username)
  // A name that nobody has costs as much: else the time of the answer tells names.
  const expected = consumer ? passwordOf(consumer) : NOBODYS
  const isRight = isPassword(given.password, expected) || isPassword(given.apisix.password, expected)
  return isRight ? consumer : undefined
}

function isPassword(latin1: string, expected: Uint8Array): boolean {
  return isSame(digestOf(Buffer.from(latin1, 'latin1')), expected)
}
