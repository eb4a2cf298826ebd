import { ConfigError, type FromSchema } from '../../src/plugin/api.ts'
import { oncePerConfig } from '../_shared/auth/prepare.ts'
import { isBase64, isShared, readKey, type Verify } from './key.ts'
import type { consumerSchema } from './schema.ts'

export type ConsumerConfig = FromSchema<typeof consumerSchema>

/** What a consumer's tokens are verified with. */
export interface Credential {
  readonly algorithm: string
  readonly graceSeconds: number
  /** Or why there is no key. */
  readonly verify: Verify | string
}

/** The consumer's key, read once. */
export const credentialOf = oncePerConfig((config: ConsumerConfig): Credential => {
  const { algorithm, lifetime_grace_period: graceSeconds } = config
  try {
    return { algorithm, graceSeconds, verify: readKey(config) }
  } catch (error) {
    return { algorithm, graceSeconds, verify: (error as Error).message }
  }
})

/** Rules of a consumer's configuration that its schema cannot say. Throws {@link ConfigError}. */
export function checkCredential(config: ConsumerConfig): void {
  const { algorithm, secret, base64_secret: isEncoded, public_key: publicKey } = config
  if (isShared(algorithm)) {
    if (secret === undefined) {
      throw new ConfigError('property "secret" is required when using HS based algorithms')
    }
    if (isEncoded && !isReference(secret) && !isBase64(secret)) {
      throw new ConfigError('base64_secret required but the secret is not in base64 format')
    }
    return
  }
  if (publicKey === undefined) throw new ConfigError('property "public_key" is required')
  if (isReference(publicKey)) return
  try {
    readKey(config)
  } catch (error) {
    throw new ConfigError(`property "public_key" validation failed: ${(error as Error).message}`)
  }
}

/** Resolved later: what it stands for is not known here. */
const isReference = (text: string): boolean => /^\$(?:env|secret):\/\//i.test(text)
