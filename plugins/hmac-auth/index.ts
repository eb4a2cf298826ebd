import { createHash } from 'node:crypto'
import {
  definePlugin,
  type FoundConsumer,
  type FromSchema,
  type InstanceHost,
  type RequestContext,
} from '../../src/plugin/api.ts'
import { type Authentication, compileAuthentication } from '../_shared/auth/authentication.ts'
import { isRepeated } from '../_shared/auth/repeated.ts'
import { isSignature, readFields, type SignatureFields } from './authorization.ts'
import { consumerSchema, schema } from './schema.ts'
import { compileFieldRules, isSigned, secretOf } from './signature.ts'

type Config = FromSchema<typeof schema>

const REFUSED = "client request can't be validated"

/** Identifies the consumer by a signature over parts of the request (contract §7.1). */
export default definePlugin<Config>({
  name: 'hmac-auth',
  priority: 2530,
  phases: ['rewrite'],
  type: 'auth',
  schema,
  consumerSchema,
  consumerKey: 'key_id',
  secretFields: ['secret_key'],
  compile(config, host) {
    const rewrite = compileAuthentication(
      {
        challenge: `hmac realm="${config.realm}"`,
        anonymousConsumer: config.anonymous_consumer,
        identify: compileIdentification(config, host),
        hide: config.hide_credentials ? hide : undefined,
      },
      host,
    )
    return { rewrite }
  },
})

const hide = ({ headers }: RequestContext): void => headers.remove('authorization')

function compileIdentification(config: Config, host: InstanceHost): Authentication['identify'] {
  const { validate_request_body: isBodyChecked, max_req_body_size: maxBodyBytes } = config
  const findSigner = compileSigner(config, host)
  const refuse = (problem: string): string => {
    host.logger.info({ problem }, 'a signature was refused')
    return REFUSED
  }
  // Not before the signature was found good: nobody else may make the gateway keep bodies.
  const checkBody = async (context: RequestContext, signer: FoundConsumer) => {
    const digest = context.headers.get('digest')
    const isRight = digest !== undefined && digest === digestOf(await context.readBody(maxBodyBytes))
    return isRight ? signer : refuse('Invalid digest')
  }
  return (context) => {
    const authorization = context.headers.get('authorization')
    if (authorization === undefined) return `${REFUSED}: missing Authorization header`
    if (!isSignature(authorization)) {
      return `${REFUSED}: Authorization header does not start with 'Signature'`
    }
    const signer = findSigner(context, authorization)
    if (typeof signer === 'string') return refuse(signer)
    return isBodyChecked ? checkBody(context, signer) : signer
  }
}

/** The consumer who has signed the request, or why it is nobody's. */
function compileSigner(
  config: Config,
  { clock }: Pick<InstanceHost, 'clock'>,
): (context: RequestContext, authorization: string) => FoundConsumer | string {
  const problemOf = compileFieldRules(config, clock.now)
  return (context, authorization) => {
    if (isRepeated(context.headers, 'authorization')) return 'Authorization stands twice'
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
