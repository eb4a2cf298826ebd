import { createFieldCipher, type FieldCipher } from './field-cipher.ts'
import { loadOwnKey } from './own-key.ts'

export interface FieldEncryption {
  /** `apisix.data_encryption.enable_encrypt_fields`. */
  readonly isEnabled: boolean
  /** `apisix.data_encryption.keyring`. */
  readonly keyring: readonly string[]
  /** `gatewright.data_dir`; where the generated key is kept. */
  readonly dataDir: string
  /** Whether no other node reads the store, as with the embedded one: only then a key of this node alone may write. */
  readonly isOwnStore: boolean
}

/**
 * The cipher of this node (decision 13). Makes the generated key when it is going to be written with; an existing one is always
 * read. Throws an Error for people when the key's file or the keyring cannot be used.
 */
export function openFieldCipher({ isEnabled, keyring, dataDir, isOwnStore }: FieldEncryption): FieldCipher {
  const isOwnWriter = isEnabled && keyring.length === 0 && isOwnStore
  const ownKey = loadOwnKey(dataDir, isOwnWriter)
  return createFieldCipher({ isEnabled, keyring, isOwnWriter, ...(ownKey && { ownKey }) })
}
