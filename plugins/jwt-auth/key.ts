import { constants, createHmac, createPublicKey, createSecretKey, type KeyObject, verify } from 'node:crypto'
import { isSame } from '../_shared/auth/secret-digest.ts'

/** What of a consumer's configuration makes its key. */
export interface KeyConfig {
  readonly algorithm: string
  readonly secret?: string | undefined
  readonly base64_secret: boolean
  readonly public_key?: string | undefined
}

/** Whether the signature of `signed` was made with the key. */
export type Verify = (signed: string, signature: Buffer) => boolean

interface Family {
  /** Of the keys that OpenSSL knows, those that may be used. */
  readonly keyTypes: readonly string[]
  /** By the size of the digest: the one curve that goes with it (RFC 7518 §3.4). */
  readonly curves?: Readonly<Record<string, string>>
  verifier(key: KeyObject, digest: string): Verify
}

/** By the first letters of the algorithm (RFC 7518 §3, RFC 8037 §3.1). */
const FAMILIES: Readonly<Record<string, Family>> = {
  RS: {
    keyTypes: ['rsa'],
    verifier: (key, digest) => (text, signature) => verify(digest, bytes(text), key, signature),
  },
  PS: {
    keyTypes: ['rsa', 'rsa-pss'],
    verifier(key, digest) {
      const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = constants
      return (text, signature) => verify(digest, bytes(text), { key, padding, saltLength }, signature)
    },
  },
  ES: {
    keyTypes: ['ec'],
    curves: { sha256: 'prime256v1', sha384: 'secp384r1', sha512: 'secp521r1' },
    verifier: (key, digest) => (text, signature) =>
      verify(digest, bytes(text), { key, dsaEncoding: 'ieee-p1363' }, signature),
  },
  Ed: {
    keyTypes: ['ed25519', 'ed448'],
    verifier: (key) => (text, signature) => verify(null, bytes(text), key, signature),
  },
}

/** Standard base64, as `ngx.decode_base64` takes it: padding may be left out. */
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
/** Private keys are none: one does not belong into the configuration of a gateway. The lines may have any length. */
const PUBLIC_PEM = /-----BEGIN (RSA )?PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END/

/** Whether the algorithm is one of a shared secret. */
export const isShared = (algorithm: string): boolean => algorithm.startsWith('HS')

/** Whether the text can be read as base64. */
export const isBase64 = (text: string): boolean =>
  BASE64.test(text) && text.replace(/=+$/, '').length % 4 !== 1

/**
 * Reads the key of a consumer and pins it to the consumer's algorithm. Throws an Error that says why the key cannot be used, and
 * shows nothing of it.
 */
export function readKey(config: KeyConfig): Verify {
  const { algorithm } = config
  const digest = `sha${algorithm.slice(2)}`
  if (isShared(algorithm)) return sharedKey(config, digest)
  const family = FAMILIES[algorithm.slice(0, 2)]
  if (!family) throw new Error(`the algorithm ${algorithm} is not known`)
  const key = publicKey(config.public_key ?? '')
  const curve = key.asymmetricKeyDetails?.namedCurve
  const expected = family.curves?.[digest]
  if (!family.keyTypes.includes(key.asymmetricKeyType ?? '') || curve !== expected) {
    const kind = [key.asymmetricKeyType, curve].filter(Boolean).join(' ')
    throw new Error(
      `${algorithm} needs a key of type ${expected ?? family.keyTypes.join(' or ')}, this one is ${kind}`,
    )
  }
  return family.verifier(key, digest)
}

function sharedKey({ secret = '', base64_secret: isEncoded }: KeyConfig, digest: string): Verify {
  if (isEncoded && !isBase64(secret)) throw new Error('the secret is not in base64 format')
  const secretBytes = Buffer.from(secret, isEncoded ? 'base64' : 'utf8')
  if (secretBytes.length === 0) throw new Error('the secret is empty')
  const key = createSecretKey(secretBytes)
  return (signed, signature) => isSame(createHmac(digest, key).update(signed).digest(), signature)
}

function publicKey(pem: string): KeyObject {
  const [, pkcs1, body] = PUBLIC_PEM.exec(pem) ?? []
  if (body === undefined) throw new Error('it is not a public key in PEM format (BEGIN PUBLIC KEY)')
  try {
    const key = Buffer.from(body, 'base64')
    return createPublicKey({ key, format: 'der', type: pkcs1 ? 'pkcs1' : 'spki' })
  } catch {
    // OpenSSL's own words name its routines, which help nobody.
    throw new Error('the PEM text of the public key is damaged')
  }
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
