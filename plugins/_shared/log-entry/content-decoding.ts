import { brotliDecompressSync, constants, gunzipSync, inflateSync } from 'node:zlib'

type Decode = (bytes: Buffer, maxOutputLength: number) => Buffer

const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH } = constants
/** The bytes may end anywhere: only the beginning of a long body is kept. */
const zlibOptions = (maxOutputLength: number) => ({ maxOutputLength, finishFlush: Z_SYNC_FLUSH })

const DECODERS: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ['gzip', (bytes, most) => gunzipSync(bytes, zlibOptions(most))],
  ['x-gzip', (bytes, most) => gunzipSync(bytes, zlibOptions(most))],
  ['deflate', (bytes, most) => inflateSync(bytes, zlibOptions(most))],
  [
    'br',
    (bytes, most) =>
      brotliDecompressSync(bytes, { maxOutputLength: most, finishFlush: BROTLI_OPERATION_FLUSH }),
  ],
])

/** How many times longer than an entry may show a body may become; beyond it, it is not shown at all. */
const MAX_GROWTH = 8
/** What stands in an entry for a body that cannot be decoded, or becomes too long. */
const UNREADABLE = (coding: string, bytes: number) => `[${bytes} bytes of ${coding}]`

/** The text of a body, or of its beginning, whose content coding is `coding`. Never throws; never longer than `maxBytes`. */
export function decodeBody(bytes: Buffer, coding: string | undefined, maxBytes: number): string {
  const name = coding?.trim().toLowerCase() ?? 'identity'
  const decode = DECODERS.get(name)
  if (!decode) return bytes.toString()
  try {
    return decode(bytes, maxBytes * MAX_GROWTH)
      .subarray(0, maxBytes)
      .toString()
  } catch {
    // Not what its header says, or more than an entry may hold.
    return UNREADABLE(name, bytes.length)
  }
}
