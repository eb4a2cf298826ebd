import { createHmac, createSecretKey } from 'node:crypto'
import type { FromSchema, RequestContext } from '../../src/plugin/api.ts'
import { oncePerConfig } from '../_shared/auth/prepare.ts'
import { isSame } from '../_shared/auth/secret-digest.ts'
import type { SignatureFields } from './authorization.ts'
import { parseHttpDate } from './http-date.ts'
import type { consumerSchema, schema } from './schema.ts'
import { signingString } from './signing-string.ts'

/** By what clients call them, the digest of each. */
const DIGESTS: ReadonlyMap<string, string> = new Map([
  ['hmac-sha1', 'sha1'],
  ['hmac-sha256', 'sha256'],
  ['hmac-sha512', 'sha512'],
])

/** The consumer's secret, read once. */
export const secretOf = oncePerConfig(({ secret_key: secret }: FromSchema<typeof consumerSchema>) =>
  createSecretKey(Buffer.from(secret)),
)

/** Why fields cannot be right whoever signed them, `undefined` when they may be. */
export type FieldRules = (fields: SignatureFields, context: RequestContext) => string | undefined

/** Compiles what a route asks of every signature: algorithm, age, and what must be signed. */
export function compileFieldRules(config: FromSchema<typeof schema>, now: () => number): FieldRules {
  const allowed = new Set<string>(config.allowed_algorithms)
  const required = config.signed_headers.map((name) => name.toLowerCase())
  const skewMs = config.clock_skew * 1000
  return ({ algorithm, headers }, context) => {
    if (!allowed.has(algorithm)) return 'Invalid algorithm'
    const date = context.headers.get('date')
    if (date === undefined) return 'Date header missing. failed to validate clock skew'
    const time = parseHttpDate(date)
    if (time === undefined) return 'Invalid GMT format time'
    if (Math.abs(now() - time) > skewMs) return 'Clock skew exceeded'
    const signed = headers.map((name) => name.toLowerCase())
    const missing = required.find((name) => !signed.includes(name))
    return missing === undefined ? undefined : `expected header "${missing}" missing in signing`
  }
}

/** Whether the fields hold the signature of this request, made with the secret. */
export function isSigned(
  context: RequestContext,
  { keyId, algorithm, headers, signature }: SignatureFields,
  secret: ReturnType<typeof secretOf>,
): boolean {
  const text = signingString(context, keyId, headers)
  const digest = DIGESTS.get(algorithm)
  if (text === undefined || digest === undefined) return false
  const expected = createHmac(digest, secret).update(text, 'latin1').digest()
  return isSame(Buffer.from(signature, 'base64'), expected)
}
