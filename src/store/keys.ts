/** Most bytes a key may have, in every store, so that what one takes the others take too (LMDB ends at 1,978). */
export const MAX_KEY_BYTES = 1024

/**
 * Orders keys as their UTF-8 bytes would be ordered, which is etcd's order. UTF-16 order differs from it where a character above
 * U+FFFF meets one between U+E000 and U+FFFF.
 */
export function compareKeys(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let i = 0; i < length; i++) {
    const a = left.charCodeAt(i)
    const b = right.charCodeAt(i)
    if (a !== b) return byteRank(a) - byteRank(b)
  }
  return left.length - right.length
}

function byteRank(codeUnit: number): number {
  if (codeUnit < 0xd800) return codeUnit
  return codeUnit < 0xe000 ? codeUnit + 0x2000 : codeUnit - 0x800
}

/** The first byte string after all that begin with `prefix`; undefined when there is none (empty prefix). */
export function endOfPrefix(prefix: Buffer): Buffer | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] as number
    if (byte === 0xff) continue
    const end = Buffer.from(prefix.subarray(0, i + 1))
    end[i] = byte + 1
    return end
  }
  return undefined
}

/** Throws a RangeError that names the key when it is empty, too long, or cannot be written as UTF-8. */
export function checkKey(key: string): void {
  if (key === '') throw new RangeError('a key must not be empty')
  const bytes = Buffer.byteLength(key)
  if (bytes > MAX_KEY_BYTES) {
    throw new RangeError(`key "${key.slice(0, 64)}…" has ${bytes} bytes; use at most ${MAX_KEY_BYTES}`)
  }
  if (key !== asUtf8(key))
    throw new RangeError(`key ${JSON.stringify(key)} holds half a surrogate pair; use whole characters`)
}

/** The text as it comes back after a trip through UTF-8: half surrogate pairs become U+FFFD. */
export function asUtf8(text: string): string {
  return LONE_SURROGATE.test(text) ? Buffer.from(text).toString() : text
}

const LONE_SURROGATE = /\p{Surrogate}/u
