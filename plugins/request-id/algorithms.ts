import { randomUUID } from 'node:crypto'
import { RandomPool } from './random-pool.ts'

export type Generate = () => string

export interface RangeId {
  readonly length: number
  readonly char_set: string
}

export interface GeneratorOptions {
  readonly algorithm: 'uuid' | 'nanoid' | 'range_id' | 'ksuid' | 'uuidv7'
  readonly rangeId: RangeId
  /** Wall clock in ms since the epoch. */
  readonly now: () => number
}

const NANOID_LENGTH = 21
const NANOID_ALPHABET = '_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const KSUID_EPOCH_SECONDS = 1_400_000_000
const KSUID_LENGTH = 27

/** Makes the function that makes ids. Each has its own pool of random bytes. */
export function createGenerator({ algorithm, rangeId, now }: GeneratorOptions): Generate {
  switch (algorithm) {
    case 'uuid':
      return randomUUID
    case 'nanoid':
      return rangeIds(new RandomPool(), { length: NANOID_LENGTH, char_set: NANOID_ALPHABET })
    case 'range_id':
      return rangeIds(new RandomPool(), rangeId)
    case 'ksuid':
      return ksuids(new RandomPool(), now)
    case 'uuidv7':
      return uuids7(new RandomPool(), now)
  }
}

/** Every character with equal likelihood: what does not fit the set a whole number of times is drawn again. */
function rangeIds(pool: RandomPool, { length, char_set }: RangeId): Generate {
  const characters = [...char_set]
  const count = characters.length
  const draw = count <= 256 ? () => pool.byte() : () => pool.take(4).readUInt32LE()
  const range = count <= 256 ? 256 : 2 ** 32
  const limit = range - (range % count)
  return () => {
    let id = ''
    for (let i = 0; i < length; i++) {
      let drawn = draw()
      while (drawn >= limit) drawn = draw()
      id += characters[drawn % count]
    }
    return id
  }
}

/** Four bytes of seconds since the KSUID epoch and sixteen random ones, in base 62: they sort by time. */
function ksuids(pool: RandomPool, now: () => number): Generate {
  const words = new Uint16Array(10)
  return () => {
    const random = pool.take(16)
    const seconds = Math.floor(now() / 1000) - KSUID_EPOCH_SECONDS
    words[0] = seconds >>> 16
    words[1] = seconds & 0xffff
    for (let i = 0; i < 8; i++) words[i + 2] = random.readUInt16BE(i * 2)
    let id = ''
    for (let i = 0; i < KSUID_LENGTH; i++) id = BASE62[divideBy62(words)]! + id
    return id
  }
}

/** Divides a big-endian number in place and returns the remainder. Sixteen bits a word keep the arithmetic in small integers. */
function divideBy62(words: Uint16Array): number {
  let remainder = 0
  for (let i = 0; i < words.length; i++) {
    const value = (remainder << 16) | words[i]!
    const quotient = (value / 62) | 0
    words[i] = quotient
    remainder = value - quotient * 62
  }
  return remainder
}

/** RFC 9562 §5.7: 48 bits of milliseconds, version, variant, 74 random bits. */
function uuids7(pool: RandomPool, now: () => number): Generate {
  return () => {
    const time = Math.floor(now()).toString(16).padStart(12, '0')
    const random = pool.take(10)
    random[0] = (random[0]! & 0x0f) | 0x70
    random[2] = (random[2]! & 0x3f) | 0x80
    const rest = random.toString('hex')
    return `${time.slice(0, 8)}-${time.slice(8)}-${rest.slice(0, 4)}-${rest.slice(4, 8)}-${rest.slice(8)}`
  }
}
