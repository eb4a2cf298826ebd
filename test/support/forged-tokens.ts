import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { makeKeyPair, part, signToken } from './jwt.ts'

/** A token, what is the matter with it, and whether it is good for who pins `algorithm` with the key of the set. */
export type Vector = readonly [what: string, token: string, isGood: boolean]

export interface VectorSet {
  readonly algorithm: 'ES256' | 'RS256'
  /** PEM. */
  readonly publicKey: string
  readonly vectors: readonly Vector[]
}

/** Order of the group of P-256 (SEC 2 §2.4.2). */
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const LENGTH = 32

const bytesOf = (value: bigint, length = LENGTH) =>
  Buffer.from(value.toString(16).padStart(2 * length, '0'), 'hex')
const numberOf = (bytes: Buffer) => BigInt(`0x${bytes.toString('hex')}`)

/** Tokens that fool careless verifiers of signatures over elliptic curves, beside the good ones that careful ones must take. */
export function ellipticVectors(payload: Readonly<Record<string, unknown>>): VectorSet {
  const { privateKey, publicKey } = makeKeyPair('P-256')
  const good = signToken('ES256', privateKey, { payload })
  const signed = good.slice(0, good.lastIndexOf('.'))
  const signature = Buffer.from(good.slice(signed.length + 1), 'base64url')
  const [r, s] = [numberOf(signature.subarray(0, LENGTH)), numberOf(signature.subarray(LENGTH))]
  const raw = (bytes: Buffer) => `${signed}.${bytes.toString('base64url')}`
  const pair = (first: bigint, second: bigint) => raw(Buffer.concat([bytesOf(first), bytesOf(second)]))
  const [low, high] = s > N / 2n ? [N - s, s] : [s, N - s]
  const der = sign('sha256', Buffer.from(signed), privateKey)
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    algorithm: 'ES256',
    publicKey,
    vectors: [
      ['with a low s', pair(r, low), true],
      // No rule of JOSE forbids it; who tells tokens apart must not do it by their signature.
      ['with a high s', pair(r, high), true],
      ['without a signature', `${signed}.`, false],
      ['with r and s zero', pair(0n, 0n), false],
      ['with r zero', pair(0n, s), false],
      ['with s zero', pair(r, 0n), false],
      ['with r and s one', pair(1n, 1n), false],
      ['with r the order', pair(N, s), false],
      ['with s the order', pair(r, N), false],
      ['with r and s the order', pair(N, N), false],
      ['with r and s all ones', raw(Buffer.alloc(2 * LENGTH, 0xff)), false],
      ['with r and s exchanged', pair(s, r), false],
      ['with a byte behind', raw(Buffer.concat([signature, Buffer.alloc(1)])), false],
      ['with a byte before', raw(Buffer.concat([Buffer.alloc(1), signature])), false],
      ['with zeros before r and s', raw(Buffer.concat([bytesOf(r, 48), bytesOf(s, 48)])), false],
      ['with its last byte cut off', raw(signature.subarray(0, -1)), false],
      ['with r alone', raw(signature.subarray(0, LENGTH)), false],
      ['with a signature in DER', raw(der), false],
      ['with zero and zero in DER', raw(Buffer.from('3006020100020100', 'hex')), false],
      ['with the signature of another key', signToken('ES256', stranger.privateKey, { payload }), false],
      ['that says ES384', signToken('ES384', makeKeyPair('P-384').privateKey, { payload }), false],
      ['that says ES256K', withHeader({ alg: 'ES256K' }, payload, privateKey), false],
      ...confused('ES256', { payload, publicKey, privateKey }),
    ],
  }
}

/** The same for RSA. */
export function rsaVectors(payload: Readonly<Record<string, unknown>>): VectorSet {
  const { privateKey, publicKey } = makeKeyPair('rsa')
  const good = signToken('RS256', privateKey, { payload })
  const signed = good.slice(0, good.lastIndexOf('.'))
  const signature = Buffer.from(good.slice(signed.length + 1), 'base64url')
  const { n } = createPublicKey(publicKey).export({ format: 'jwk' })
  const modulus = Buffer.from(n!, 'base64url')
  const raw = (bytes: Buffer) => `${signed}.${bytes.toString('base64url')}`
  const beyond = bytesOf(numberOf(signature) + numberOf(modulus), modulus.length + 1)
  return {
    algorithm: 'RS256',
    publicKey,
    vectors: [
      ['that is good', good, true],
      ['without a signature', `${signed}.`, false],
      ['with a signature of zeros', raw(Buffer.alloc(signature.length)), false],
      ['with the signature one', raw(bytesOf(1n, signature.length)), false],
      ['with the modulus as signature', raw(modulus), false],
      ['with the modulus added to the signature', raw(beyond), false],
      ['with a byte behind', raw(Buffer.concat([signature, Buffer.alloc(1)])), false],
      ['with a byte before', raw(Buffer.concat([Buffer.alloc(1), signature])), false],
      ['with its last byte cut off', raw(signature.subarray(0, -1)), false],
      ['that says PS256', signToken('PS256', privateKey, { payload }), false],
      ['that says RS512', signToken('RS512', privateKey, { payload }), false],
      ['signed with SHA-512 under the name of SHA-256', misnamed(privateKey, payload), false],
      ...confused('RS256', { payload, publicKey, privateKey }),
    ],
  }
}

interface Parts {
  readonly payload: Readonly<Record<string, unknown>>
  readonly publicKey: string
  readonly privateKey: KeyObject
}

/** The verifier is told by the token what to do, or takes a public key for a secret. */
function confused(algorithm: 'ES256' | 'RS256', { payload, publicKey, privateKey }: Parts): Vector[] {
  const unsigned = (alg: unknown) => `${part({ alg })}.${part(payload)}.`
  const der = createPublicKey(publicKey).export({ type: 'spki', format: 'der' })
  const asSecret = (key: string | Buffer) => signToken('HS256', key, { payload })
  const underOwnName = (key: string | Buffer) => {
    const text = `${part({ alg: algorithm })}.${part(payload)}`
    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
  }
  const jwk = createPublicKey(makeKeyPair('P-256').publicKey).export({ format: 'jwk' })
  const stranger = makeKeyPair(algorithm === 'ES256' ? 'P-256' : 'rsa')
  const brought = signToken(algorithm, stranger.privateKey, {
    payload,
    header: { jwk: createPublicKey(stranger.publicKey).export({ format: 'jwk' }), kid: 'mine' },
  })
  return [
    ...['none', 'None', 'nOnE', '', null, undefined, 0, ['none'], algorithm].map(
      (alg): Vector => [`unsigned, that says ${JSON.stringify(alg)}`, unsigned(alg), false],
    ),
    ['signed with the PEM of the public key as a secret', asSecret(publicKey), false],
    ['signed with the trimmed PEM as a secret', asSecret(publicKey.trim()), false],
    ['signed with the DER of the public key as a secret', asSecret(der), false],
    [`signed with the PEM as a secret, that says ${algorithm}`, underOwnName(publicKey), false],
    ['that brings its own key', brought, false],
    [
      'that says it in small letters',
      withHeader({ alg: algorithm.toLowerCase() }, payload, privateKey),
      false,
    ],
    ['that says nothing of its algorithm', withHeader({}, payload, privateKey), false],
    [
      'with an extension that must be understood',
      withHeader({ alg: algorithm, crit: ['x'], x: 1 }, payload, privateKey),
      false,
    ],
    [
      'with a key that nobody asked for beside a good signature',
      withHeader({ alg: algorithm, jwk }, payload, privateKey),
      true,
    ],
  ]
}

/** Signed well, as the algorithm of the key has it, whatever the header says. */
function withHeader(
  header: Readonly<Record<string, unknown>>,
  payload: Readonly<Record<string, unknown>>,
  key: KeyObject,
): string {
  const text = `${part(header)}.${part(payload)}`
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

function misnamed(key: KeyObject, payload: Readonly<Record<string, unknown>>): string {
  const text = `${part({ alg: 'RS256' })}.${part(payload)}`
  return `${text}.${sign('sha512', Buffer.from(text), key).toString('base64url')}`
}
