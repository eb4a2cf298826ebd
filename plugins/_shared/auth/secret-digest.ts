import { createHash, timingSafeEqual } from 'node:crypto'

/** A secret in a form whose comparison takes the same time whatever is guessed, also for a guess of another length. */
export function digestOf(secret: string | Uint8Array): Buffer {
  return createHash('sha256').update(secret).digest()
}

/** Whether both are digests, or signatures, of the same bytes; in constant time for a given length. */
export function isSame(given: Uint8Array, expected: Uint8Array): boolean {
  return given.length === expected.length && timingSafeEqual(given, expected)
}
