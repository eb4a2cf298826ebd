import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

const IV_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32

/** Hides what browsers keep for the gateway, and notices when it was changed (AES-256-GCM). */
export class Seal {
  readonly #key: Buffer

  /** `scope` names for what it is used: what was sealed for another one is not opened, though the secret be the same. */
  constructor(secret: string, scope: string) {
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', scope, KEY_BYTES))
  }

  /** Gives text of letters, digits, `-` and `_`. What is sealed for one purpose cannot be opened for another. */
  seal(purpose: string, text: string): string {
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv).setAAD(Buffer.from(purpose))
    const hidden = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
    return Buffer.concat([iv, cipher.getAuthTag(), hidden]).toString('base64url')
  }

  /** `undefined` for what was not sealed by this secret, scope and purpose. */
  open(purpose: string, sealed: string): string | undefined {
    const bytes = Buffer.from(sealed, 'base64url')
    if (bytes.length < IV_BYTES + TAG_BYTES) return undefined
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, IV_BYTES))
      .setAAD(Buffer.from(purpose))
      .setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
    try {
      return decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
    } catch {
      // Changed, or sealed by somebody else: for the caller it is not there.
      return undefined
    }
  }
}
