import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { NONCE_BYTES, TAG_BYTES } from './gcm.ts'

/** Keeps single texts of stored documents encrypted (contract §1.9, decision 13). */
export interface FieldCipher {
  /**
   * How new texts are written: `shared` with the keyring, so that APISIX and other nodes read them; `own` with the key of this
   * node's `data_dir`; `plain` not encrypted at all.
   */
  readonly writes: 'shared' | 'own' | 'plain'
  /** What was written by the same key before stays as it is; what an older key wrote is written anew. */
  encrypt(text: string): string
  /** A text that no key opens is returned as it is: it was never encrypted. */
  decrypt(text: string): string
  /** Whether a text was encrypted by some node's own key and cannot be opened here: using it as it is would be wrong. */
  isUnreadable(text: string): boolean
}

export interface FieldCipherOptions {
  /** `apisix.data_encryption.enable_encrypt_fields`; false reads what is encrypted and writes plain text. */
  readonly isEnabled: boolean
  /** 16 or 32 bytes each, newest first; the first one writes. */
  readonly keyring: readonly string[]
  /** 32 bytes kept in `data_dir`. */
  readonly ownKey?: Uint8Array
  /** Whether the own key writes where there is no keyring: not where other nodes read the same store. */
  readonly isOwnWriter: boolean
}

/** APISIX's default keyring, which everyone knows: it reads what an APISIX that never set another one wrote, and writes nothing. */
const KNOWN_KEYS = ['qeddd145sfvddff3', 'edd1c9f0985e76a2']

/** One way to write a text. `open` returns undefined when it was not written so. */
interface Seal {
  seal(text: string): string
  open(text: string): string | undefined
}

/** Throws a RangeError, without the key, when a key has no length that AES knows. */
export function createFieldCipher(options: FieldCipherOptions): FieldCipher {
  const { isEnabled, keyring, ownKey, isOwnWriter } = options
  const own = ownKey && gcmSeal(ownKey)
  const ring = keyring.map(cbcSeal)
  const readers = [...ring, ...(own ? [own] : []), ...KNOWN_KEYS.map(cbcSeal)]
  const writer = isEnabled ? (ring[0] ?? (isOwnWriter ? own : undefined)) : undefined
  const open = (text: string): string | undefined => {
    for (const reader of readers) {
      const plain = reader.open(text)
      if (plain !== undefined) return plain
    }
    return undefined
  }
  return {
    writes: writer === undefined ? 'plain' : writer === own ? 'own' : 'shared',
    encrypt(text) {
      if (writer === undefined || writer.open(text) !== undefined) return text
      return writer.seal(open(text) ?? text)
    },
    decrypt: (text) => open(text) ?? text,
    isUnreadable: (text) => text.startsWith(OWN_PREFIX) && own?.open(text) === undefined,
  }
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const BLOCK_BYTES = 16

/** APISIX's format: AES-CBC, PKCS#7, the key (its first 16 bytes) as IV, base64. The same text always gives the same cipher text. */
function cbcSeal(keyText: string): Seal {
  const key = Buffer.from(keyText)
  if (key.length !== 16 && key.length !== 32) {
    throw new RangeError(`a key of the keyring has ${key.length} bytes; use 16 or 32`)
  }
  const algorithm = key.length === 16 ? 'aes-128-cbc' : 'aes-256-cbc'
  const iv = key.subarray(0, BLOCK_BYTES)
  return {
    seal(text) {
      const cipher = createCipheriv(algorithm, key, iv)
      return cipher.update(text, 'utf8', 'base64') + cipher.final('base64')
    },
    open(text) {
      const bytes = fromBase64(text)
      if (bytes === undefined || bytes.length === 0 || bytes.length % BLOCK_BYTES !== 0) return undefined
      const decipher = createDecipheriv(algorithm, key, iv)
      return attempt(() => Buffer.concat([decipher.update(bytes), decipher.final()]))
    },
  }
}

const OWN_PREFIX = '$gw-enc:v1:'

/** AES-256-GCM with a fresh nonce: prefix, then nonce, tag and cipher text in base64. */
function gcmSeal(key: Uint8Array): Seal {
  if (key.length !== 32) throw new RangeError(`the generated key has ${key.length} bytes instead of 32`)
  return {
    seal(text) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return OWN_PREFIX + Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64')
    },
    open(text) {
      if (!text.startsWith(OWN_PREFIX)) return undefined
      const bytes = fromBase64(text.slice(OWN_PREFIX.length))
      if (bytes === undefined || bytes.length < NONCE_BYTES + TAG_BYTES) return undefined
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      })
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
      return attempt(() =>
        Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]),
      )
    },
  }
}

function fromBase64(text: string): Buffer | undefined {
  return text.length % 4 === 0 && BASE64.test(text) ? Buffer.from(text, 'base64') : undefined
}

/**
 * The text that `open` yields; undefined when the key does not fit. A wrong key passes the padding once in 256 times; what comes
 * out then is hardly ever UTF-8.
 */
function attempt(open: () => Buffer): string | undefined {
  try {
    return UTF8.decode(open())
  } catch {
    // Not opened by this key is an answer here, not a failure.
    return undefined
  }
}
