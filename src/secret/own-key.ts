import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { keepKeyFile, readKeyFile } from '../lib/key-file.ts'

const FORM = /^[0-9a-f]{64}$/

/**
 * The 32 bytes that this node encrypts fields of its own store with, kept as hexadecimal digits in `<dataDir>/encryption.key`. Made
 * when `mayMake` and it is not there. Throws an Error without the key when the file cannot be read, made or used.
 */
export function loadOwnKey(dataDir: string, mayMake: boolean): Uint8Array | undefined {
  const path = join(dataDir, 'encryption.key')
  const text = mayMake ? keepKeyFile(path, generate).text : readKeyFile(path)
  if (text === undefined) return undefined
  if (!FORM.test(text)) {
    throw new Error(
      `${path}: holds no key of 64 hexadecimal digits; restore it from a backup of the data directory`,
    )
  }
  return Buffer.from(text, 'hex')
}

function generate(): string {
  return randomBytes(32).toString('hex')
}
