import { createHash } from 'node:crypto'
import {
  definePlugin,
  type FoundConsumer,
  type FromSchema,
  type InstanceHost,
  type PhaseResult,
  type RequestContext,
} from '../../src/plugin/api.ts'
import { compileRefusal } from '../_shared/auth/refusal.ts'
import { isSignature, readFields, type SignatureFields } from './authorization.ts'
import { consumerSchema, schema } from './schema.ts'
import { compileFieldRules, isSigned, secretOf } from './signature.ts'

type Config = FromSchema<typeof schema>

const REFUSED = "client request can't be validated"

/** Identifies the consumer by a signature over parts of the request (contract §7.1). */
export default definePlugin<Config>({
  name: 'hmac-auth',
  priority: 2530,
  type: 'auth',
  schema,
  consumerSchema,
  consumerKey: 'key_id',
  secretFields: ['secret_key'],
  compile(config, host) {
    const { hide_credentials: hidesCredentials, max_req_body_size: maxBodyBytes } = config
    const findSigner = compileSigner(config, host)
    const refuse = compileRefusal(
      { challenge: `hmac realm="${config.realm}"`, anonymousConsumer: config.anonymous_consumer },
      host,
    )
    const decide = (context: RequestContext, signer: FoundConsumer | string): PhaseResult => {
      if (typeof signer !== 'string') return context.attachConsumer(signer)
      host.logger.info({ problem: signer }, 'a signature was refused')
      return refuse(context, REFUSED)
    }
    // Not before the signature was found good: nobody else may make the gateway keep bodies.
    const decideWithBody = async (context: RequestContext, signer: FoundConsumer): Promise<PhaseResult> => {
      const digest = context.headers.get('digest')
      const isRight = digest !== undefined && digest === digestOf(await context.readBody(maxBodyBytes))
      return decide(context, isRight ? signer : 'Invalid digest')
    }
    return {
      rewrite(context) {
        const authorization = context.headers.get('authorization')
        if (authorization === undefined) return refuse(context, `${REFUSED}: missing Authorization header`)
        if (hidesCredentials) context.headers.remove('authorization')
        if (!isSignature(authorization)) {
          return refuse(context, `${REFUSED}: Authorization header does not start with 'Signature'`)
        }
        const signer = findSigner(context, authorization)
        return config.validate_request_body && typeof signer !== 'string'
          ? decideWithBody(context, signer)
          : decide(context, signer)
      },
    }
  },
})

/** The consumer who has signed the request, or why it is nobody's. */
function compileSigner(
  config: Config,
  { clock }: Pick<InstanceHost, 'clock'>,
): (context: RequestContext, authorization: string) => FoundConsumer | string {
  const problemOf = compileFieldRules(config, clock.now)
  return (context, authorization) => {
    const fields = readFields(authorization)
    if (typeof fields === 'string') return fields
    const problem = problemOf(fields, context)
    if (problem !== undefined) return problem
    const consumer = context.findConsumer('hmac-auth', textOf(fields.keyId))
    if (!consumer) return 'Invalid key ID'
    return isSigned(context, fields, secretOf(consumer)) ? consumer : 'Invalid signature'
  }
}

/** Headers come with one character for each byte. */
const textOf = (bytes: SignatureFields['keyId']): string => Buffer.from(bytes, 'latin1').toString()

const digestOf = (body: Uint8Array): string => `SHA-256=${createHash('sha256').update(body).digest('base64')}`
