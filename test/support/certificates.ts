import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { isIPv4 } from 'node:net'

/** A certificate and its private key, PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

export interface CertificateOptions {
  /** DNS names and IPv4 addresses; the first is the common name too. */
  readonly names: readonly string[]
  /** RSA-2048 instead of P-256. */
  readonly isRsa?: boolean
  /** Who signs it, itself when absent. */
  readonly issuer?: Certificate & { readonly name: string }
}

const DAY_MS = 86_400_000

/** Makes a certificate that is valid today. One without issuer can be used as its own authority; an issuer must be P-256. */
export function makeCertificate({ names, issuer, isRsa = false }: CertificateOptions): Certificate {
  const { privateKey, publicKey } = isRsa
    ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = isRsa && !issuer ? RSA_WITH_SHA256 : ECDSA_WITH_SHA256
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    commonName(issuer?.name ?? names[0]!),
    sequence(utcTime(Date.now() - DAY_MS), utcTime(Date.now() + DAY_MS)),
    commonName(names[0]!),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(isAuthority(), altNames(names))),
  )
  const signature = sign('sha256', body, issuer ? issuer.key : privateKey)
  const cert = sequence(body, algorithm, bitString(signature))
  return {
    cert: pem('CERTIFICATE', cert),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  }
}

function tagged(tag: number, ...content: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(content)
  if (bytes.length < 0x80) return Buffer.concat([Buffer.from([tag, bytes.length]), bytes])
  const long = bytes.length > 0xff
  const length = long ? [0x82, bytes.length >> 8, bytes.length & 0xff] : [0x81, bytes.length]
  return Buffer.concat([Buffer.from([tag, ...length]), bytes])
}

function sequence(...content: readonly Buffer[]): Buffer {
  return tagged(0x30, ...content)
}

function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes)
}

function objectId(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, 'hex'))
}

function bitString(bytes: Buffer): Buffer {
  return tagged(0x03, Buffer.from([0]), bytes)
}

function octets(...content: readonly Buffer[]): Buffer {
  return tagged(0x04, ...content)
}

function utcTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14)
  return tagged(0x17, Buffer.from(`${digits}Z`))
}

function commonName(name: string): Buffer {
  return sequence(tagged(0x31, sequence(objectId('550403'), tagged(0x0c, Buffer.from(name)))))
}

function isAuthority(): Buffer {
  return sequence(objectId('551d13'), octets(sequence(tagged(0x01, Buffer.from([0xff])))))
}

function altNames(names: readonly string[]): Buffer {
  const entries = names.map((name) =>
    isIPv4(name) ? tagged(0x87, Buffer.from(name.split('.').map(Number))) : tagged(0x82, Buffer.from(name)),
  )
  return sequence(objectId('551d11'), octets(sequence(...entries)))
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

const ECDSA_WITH_SHA256 = sequence(objectId('2a8648ce3d040302'))
const RSA_WITH_SHA256 = sequence(objectId('2a864886f70d01010b'), tagged(0x05))
