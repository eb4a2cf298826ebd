/** Node 20 has no `zlib.crc32`; this is the reflected CRC-32 of IEEE 802.3 (polynomial 0xEDB88320), one table look-up per byte. */

const TABLE = buildTable()

function buildTable(): Uint32Array {
  const table = new Uint32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
    table[byte] = value >>> 0
  }
  return table
}

/** The register before the first byte. Feed bytes with {@link crc32Byte} and close with {@link crc32Finish}. */
export const CRC32_START = 0xffffffff

/** Feeds the low eight bits of `byte`; the result is a register (an int32 in JavaScript's terms), not yet a checksum. */
export function crc32Byte(register: number, byte: number): number {
  return TABLE[(register ^ byte) & 0xff]! ^ (register >>> 8)
}

/** Turns a register into the checksum, 0 to 2^32 − 1. The register can still be fed further afterwards. */
export function crc32Finish(register: number): number {
  return ~register >>> 0
}

/** Feeds every byte of `bytes`. */
export function crc32Bytes(register: number, bytes: Uint8Array): number {
  let current = register
  for (let i = 0; i < bytes.length; i++) current = crc32Byte(current, bytes[i]!)
  return current
}

/**
 * Feeds a text. A text of code units up to 255 counts as raw bytes, which is how Node hands over header values and URLs; a text
 * with any higher code unit is fed as UTF-8. No allocation in the first case.
 */
export function crc32Text(register: number, text: string): number {
  let current = register
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0xff) return crc32Bytes(register, Buffer.from(text, 'utf8'))
    current = crc32Byte(current, unit)
  }
  return current
}

/** Checksum of a whole text; see {@link crc32Text} for how it becomes bytes. */
export function crc32(text: string): number {
  return crc32Finish(crc32Text(CRC32_START, text))
}
