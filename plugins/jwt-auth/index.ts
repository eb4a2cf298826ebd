import {
  definePlugin,
  type FoundConsumer,
  type FromSchema,
  type InstanceHost,
  type RequestContext,
} from '../../src/plugin/api.ts'
import { compileAuthentication } from '../_shared/auth/authentication.ts'
import { jwtPayload } from '../_shared/auth/jwt-payload.ts'
import { problemOfClaims } from './claims.ts'
import { type Credential, checkCredential, credentialOf } from './credential.ts'
import { consumerSchema, schema } from './schema.ts'
import { compileSource, type Source } from './source.ts'
import { parseToken, type Token } from './token.ts'

type Config = FromSchema<typeof schema>

/** Identifies the consumer by a signed token; the consumer says with which algorithm, never the token (contract §7.1). */
export default definePlugin<Config>({
  name: 'jwt-auth',
  priority: 2510,
  phases: ['rewrite'],
  type: 'auth',
  schema,
  consumerSchema,
  consumerKey: 'key',
  secretFields: ['secret'],
  checkConsumer: checkCredential,
  compile(config, host) {
    const source = compileSource(config)
    const rewrite = compileAuthentication(
      {
        challenge: `Bearer realm="${config.realm}"`,
        anonymousConsumer: config.anonymous_consumer,
        identify: compileIdentification(config, source, host),
        hide: config.hide_credentials ? source.hide : undefined,
      },
      host,
    )
    return { rewrite }
  },
})

function compileIdentification(
  config: Config,
  source: Source,
  host: InstanceHost,
): (context: RequestContext) => FoundConsumer | string {
  const { key_claim_name: keyClaim, store_in_ctx: isKept } = config
  const problemOf = compileChecks(config, host)
  return (context) => {
    const text = source.read(context)
    if (text === undefined) return 'Missing JWT token in request'
    const token = source.isRepeated(context) ? undefined : parseToken(text)
    if (!token) return 'JWT token invalid'
    const key = Object.hasOwn(token.payload, keyClaim) ? token.payload[keyClaim] : undefined
    if (key === undefined || key === false) return 'missing user key in JWT token'
    const consumer = typeof key === 'string' ? context.findConsumer('jwt-auth', key) : undefined
    if (!consumer) return 'Invalid user key in JWT token'
    const problem = problemOf(token, credentialOf(consumer))
    if (problem !== undefined) {
      host.logger.info({ consumer: consumer.view.name, problem }, 'a token was refused')
      return 'failed to verify jwt'
    }
    if (isKept) context.set(jwtPayload, token.payload)
    return consumer
  }
}

/** Why a token of the consumer is refused, `undefined` when it is good. */
function compileChecks(
  { claims_to_verify: required = [] }: Config,
  { clock }: Pick<InstanceHost, 'clock'>,
): (token: Token, credential: Credential) => string | undefined {
  return ({ header, payload, signed, signature }, { algorithm, graceSeconds, verify }) => {
    if (typeof verify === 'string') return verify
    if (header['alg'] !== algorithm) return `the token is not signed with ${algorithm}`
    // An extension that the signer wants understood, and that nobody here understands (RFC 7515 §4.1.11).
    if (Object.hasOwn(header, 'crit')) return 'the token has critical extensions'
    if (!verify(signed, signature)) return 'the signature is wrong'
    return problemOfClaims(payload, { required, graceSeconds, nowSeconds: clock.now() / 1000 })
  }
}
