import { createHmac } from 'node:crypto'

export interface SignatureInit {
  readonly keyId: string
  readonly secret: string
  /** `hmac-sha256` and the like. */
  readonly algorithm?: string
  /** What the fields say was signed, in order. */
  readonly headers?: readonly string[]
  /** The lines that are signed, without the key id. */
  readonly lines: readonly string[]
}

/** `Authorization: Signature …` of contract §7.1. */
export function signatureHeader(init: SignatureInit): string {
  const { keyId, secret, algorithm = 'hmac-sha256', headers = ['date'], lines } = init
  const text = [keyId, ...lines].map((line) => `${line}\n`).join('')
  const signature = createHmac(algorithm.replace('hmac-', ''), secret).update(text).digest('base64')
  return `Signature keyId="${keyId}",algorithm="${algorithm}",headers="${headers.join(' ')}",signature="${signature}"`
}
