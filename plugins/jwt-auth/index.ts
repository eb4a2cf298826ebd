import { definePlugin, type FromSchema, type InstanceHost } from '../../src/plugin/api.ts'
import { jwtPayload } from '../_shared/auth/jwt-payload.ts'
import { compileRefusal } from '../_shared/auth/refusal.ts'
import { problemOfClaims } from './claims.ts'
import { type Credential, checkCredential, credentialOf } from './credential.ts'
import { consumerSchema, schema } from './schema.ts'
import { compileSource } from './source.ts'
import { parseToken, type Token } from './token.ts'

type Config = FromSchema<typeof schema>

/** Identifies the consumer by a signed token; the consumer says with which algorithm, never the token (contract §7.1). */
export default definePlugin<Config>({
  name: 'jwt-auth',
  priority: 2510,
  type: 'auth',
  schema,
  consumerSchema,
  consumerKey: 'key',
  secretFields: ['secret'],
  checkConsumer: checkCredential,
  compile(config, host) {
    const find = compileSource(config)
    const problemOf = compileChecks(config, host)
    const { key_claim_name: keyClaim, store_in_ctx: isKept } = config
    const refuse = compileRefusal(
      { challenge: `Bearer realm="${config.realm}"`, anonymousConsumer: config.anonymous_consumer },
      host,
    )
    return {
      rewrite(context) {
        const text = find(context)
        if (text === undefined) return refuse(context, 'Missing JWT token in request')
        const token = parseToken(text)
        if (!token) return refuse(context, 'JWT token invalid')
        const key = Object.hasOwn(token.payload, keyClaim) ? token.payload[keyClaim] : undefined
        if (key === undefined || key === false) return refuse(context, 'missing user key in JWT token')
        const consumer = typeof key === 'string' ? context.findConsumer('jwt-auth', key) : undefined
        if (!consumer) return refuse(context, 'Invalid user key in JWT token')
        const problem = problemOf(token, credentialOf(consumer))
        if (problem !== undefined) {
          host.logger.info({ consumer: consumer.view.name, problem }, 'a token was refused')
          return refuse(context, 'failed to verify jwt')
        }
        if (isKept) context.set(jwtPayload, token.payload)
        context.attachConsumer(consumer)
        return undefined
      },
    }
  },
})

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
