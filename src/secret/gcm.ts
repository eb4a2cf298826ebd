import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'

/** Of AES-256-GCM, as everything is written here: nonce, cipher text, tag. */
export const NONCE_BYTES = 12
export const TAG_BYTES = 16

const NOTHING = new Uint8Array()

/**
 * Writes and opens whole files with a key of 32 bytes; has the shape of the `Seal` in `src/store/last-good`. A fresh nonce for
 * everything that is begun. `open` throws an Error without anything of the content.
 */
export function byteSeal(key: Uint8Array) {
  return {
    keyId: createHash('sha256').update('key id').update(key).digest('hex').slice(0, 16),
    begin(head: Uint8Array) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(head)
      let start: Uint8Array = nonce
      return {
        add(bytes: Uint8Array): Uint8Array {
          const written = Buffer.concat([start, cipher.update(bytes)])
          start = NOTHING
          return written
        },
        end: (): Uint8Array => Buffer.concat([start, cipher.final(), cipher.getAuthTag()]),
      }
    },
    open(head: Uint8Array, sealed: Uint8Array): Buffer {
      if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new Error('it ends too early')
      const nonce = sealed.subarray(0, NONCE_BYTES)
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(head)
      decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
      const opened = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES))
      try {
        decipher.final()
      } catch {
        throw new Error('its checksum does not fit: it was changed, or cut off')
      }
      return opened
    },
  }
}
