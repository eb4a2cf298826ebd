import { createPublicKey } from 'node:crypto'
import type * as Jose from 'jose'
import { ConfigError, type InstanceHost } from '../../src/plugin/api.ts'
import { ALGORITHMS } from './algorithms.ts'
import type { Claims } from './claims.ts'
import { ProviderError, TokenError } from './errors.ts'
import type { Provider } from './provider.ts'
import type { OpenidConnectConfig } from './schema.ts'

type Key = Jose.KeyObject | Jose.JWTVerifyGetKey

/** Codes of the library for what is wrong with a token, and how a client is told; any other failure is not the token's. */
const WORDS: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: 'the token has expired',
  ERR_JWT_INVALID: 'the token is malformed',
  ERR_JWS_INVALID: 'the token is malformed',
  ERR_JOSE_ALG_NOT_ALLOWED: 'the algorithm of the token is not accepted',
  ERR_JOSE_NOT_SUPPORTED: 'the algorithm of the token is not accepted',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'the signature of the token does not match',
  ERR_JWKS_NO_MATCHING_KEY: 'the key of the token is not known',
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'the token does not name its key',
}

/**
 * Checks bearer tokens by their signature. The algorithm is one of a pair of keys, never the token's free choice; the issuer is one
 * of `valid_issuers`, else the provider itself. The result rejects with {@link TokenError}, or with {@link ProviderError}.
 */
export function compileVerify(config: OpenidConnectConfig, host: InstanceHost, provider: Provider) {
  const { token_signing_alg_values_expected: expected, claim_validator } = config
  const algorithms = expected === undefined ? [...ALGORITHMS] : [expected]
  const issuers = claim_validator?.issuer?.valid_issuers
  const keyOf =
    config.public_key === undefined ? publishedKeys(config, host, provider) : ownKey(config.public_key)
  return async (token: string): Promise<Claims> => {
    const issuer = issuers ?? (await provider.open()).metadata.issuer
    const key = await keyOf()
    const { jwtVerify } = await import('jose')
    try {
      const { payload } = await jwtVerify(token, key as Jose.JWTVerifyGetKey, {
        algorithms,
        issuer: issuer as string | string[],
        clockTolerance: config.iat_slack,
        currentDate: new Date(host.clock.now()),
      })
      return payload
    } catch (error) {
      throw explain(error as Failure, config.public_key !== undefined)
    }
  }
}

type Failure = Error & { readonly code?: string; readonly claim?: string }

function explain(error: Failure, isOwnKey: boolean): Error {
  const { code = '', claim, name } = error
  if (code === 'ERR_JWT_CLAIM_VALIDATION_FAILED') {
    return new TokenError(
      claim === 'iss' ? 'the issuer of the token is not accepted' : 'the token is not valid now',
    )
  }
  const words = WORDS[code]
  if (words !== undefined) return new TokenError(words)
  // A curve that is not the algorithm's; of a published key it would be the provider's fault.
  const isUnfit = error instanceof TypeError || (isOwnKey && name === 'DataError')
  if (isUnfit) return new TokenError('the algorithm of the token does not fit the key')
  return new ProviderError('the keys of the provider cannot be had', { cause: error })
}

function ownKey(pem: string): () => Promise<Key> {
  try {
    const key = createPublicKey(pem)
    return async () => key
  } catch {
    throw new ConfigError('property "public_key" is no public key in PEM')
  }
}

/** Published keys are asked for anew at most so often, however many tokens name one that is not among them. */
const ASKED_AGAIN_MS = 30_000

interface PublishedKeys {
  readonly uri: string
  readonly askedAt: number
  readonly keys: Promise<Jose.JWTVerifyGetKey>
}

/** The keys that the provider publishes, kept for `jwk_expires_in`; asked for anew when a token names another. */
function publishedKeys(
  config: OpenidConnectConfig,
  host: InstanceHost,
  provider: Provider,
): () => Promise<Key> {
  let known: PublishedKeys | undefined
  const keysAt = (uri: string, maxAgeMs: number) => {
    const now = host.clock.monotonic()
    if (known?.uri === uri && now - known.askedAt < maxAgeMs) return known
    const asked = { uri, askedAt: now, keys: askForKeys(uri, provider) }
    asked.keys.catch(() => {
      if (known === asked) known = undefined
    })
    known = asked
    return asked
  }
  return async () => {
    const { jwks_uri: uri } = (await provider.open()).metadata
    if (uri === undefined) throw new ProviderError('the discovery document of the provider has no jwks_uri')
    return async (header, token) => {
      try {
        return await (await keysAt(uri, config.jwk_expires_in * 1000).keys)(header, token)
      } catch (error) {
        if ((error as { code?: string }).code !== 'ERR_JWKS_NO_MATCHING_KEY') throw error
        return (await keysAt(uri, ASKED_AGAIN_MS).keys)(header, token)
      }
    }
  }
}

async function askForKeys(uri: string, provider: Provider): Promise<Jose.JWTVerifyGetKey> {
  const { createLocalJWKSet } = await import('jose')
  const response = await provider.fetch(uri, { headers: { accept: 'application/json' } })
  if (response.status !== 200)
    throw new ProviderError(`the keys were answered with status ${response.status}`)
  return createLocalJWKSet((await response.json()) as Jose.JSONWebKeySet)
}
