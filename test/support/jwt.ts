import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

export interface TokenParts {
  /** Beside `alg` and `typ`; a value of `undefined` leaves one of them out. */
  readonly header?: Readonly<Record<string, unknown>>
  readonly payload?: Readonly<Record<string, unknown>>
}

const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = constants

/** A token signed with `algorithm` (RFC 7515); `key` is the shared secret or a private key. */
export function signToken(
  algorithm: string,
  key: string | Uint8Array | KeyObject,
  { header, payload = {} }: TokenParts = {},
): string {
  const signed = `${part({ alg: algorithm, typ: 'JWT', ...header })}.${part(payload)}`
  return `${signed}.${signatureOf(algorithm, key, signed).toString('base64url')}`
}

/** One part of a token: the base64url of JSON. */
export function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function signatureOf(algorithm: string, key: string | Uint8Array | KeyObject, signed: string): Buffer {
  const digest = `sha${algorithm.slice(2)}`
  const data = Buffer.from(signed)
  if (algorithm.startsWith('HS')) return createHmac(digest, key).update(data).digest()
  const privateKey = key as KeyObject
  if (algorithm === 'EdDSA') return sign(null, data, privateKey)
  if (algorithm.startsWith('PS')) return sign(digest, data, { key: privateKey, padding, saltLength })
  return sign(digest, data, { key: privateKey, dsaEncoding: 'ieee-p1363' })
}

export interface KeyPair {
  readonly privateKey: KeyObject
  /** PEM. */
  readonly publicKey: string
}

/** A fresh key pair of the kind that an algorithm needs. */
export function makeKeyPair(
  kind: 'rsa' | 'rsa-pss' | 'P-256' | 'P-384' | 'P-521' | 'secp256k1' | 'ed25519' | 'ed448',
): KeyPair {
  const { privateKey, publicKey } = generate(kind)
  return { privateKey, publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString() }
}

function generate(kind: Parameters<typeof makeKeyPair>[0]) {
  if (kind === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  if (kind === 'rsa-pss') return generateKeyPairSync('rsa-pss', { modulusLength: 2048 })
  if (kind === 'ed25519') return generateKeyPairSync('ed25519')
  if (kind === 'ed448') return generateKeyPairSync('ed448')
  return generateKeyPairSync('ec', { namedCurve: kind })
}
