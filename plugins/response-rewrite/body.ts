import { type BodyFilter, ConfigError } from '../../src/plugin/api.ts'
import type { Unpack } from '../_shared/body/unpack.ts'
import { compilePattern } from '../_shared/pattern/pattern.ts'
import { fillReplacement, parseReplacement } from '../_shared/pattern/replacement.ts'
import type { Filter, ResponseRewriteConfig } from './schema.ts'

/** Changes a whole body, which is handed over as Latin-1 text: one character a byte. */
type Change = (bytes: string) => string

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** The bytes of `body`. Throws {@link ConfigError} when they are said to be base64 and are not. */
export function bodyBytes({ body, body_base64: isBase64 }: ResponseRewriteConfig): Uint8Array | undefined {
  if (!isBase64) return body === undefined ? undefined : Buffer.from(body)
  if (!body || !BASE64.test(body)) throw new ConfigError('invalid base64 content')
  return Buffer.from(body, 'base64')
}

/** Compiles the filters into one change. Throws {@link ConfigError} with the contract's text for a bad pattern. */
export function compileFilters(filters: readonly Filter[]): Change {
  const changes = filters.map(compileFilter)
  return (bytes) => changes.reduce((text, change) => change(text), bytes)
}

/**
 * Holds the body until its end, unpacks it and changes it. Throws when it exceeds `maxBytes`: sending it unchanged would let
 * through what the filters are there to remove.
 */
export function filterBody(change: Change, unpack: Unpack, maxBytes: number): BodyFilter {
  const chunks: Uint8Array[] = []
  let held = 0
  return {
    write(chunk) {
      held += chunk.length
      if (held > maxBytes) throw new RangeError(`the response body exceeds max_resp_body_size ${maxBytes}`)
      chunks.push(chunk)
      return undefined
    },
    end() {
      if (held === 0) return undefined
      const body = unpack(Buffer.concat(chunks), maxBytes)
      const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1')
      return Buffer.from(change(text), 'latin1')
    },
  }
}

function compileFilter({ regex, replace, scope, options }: Filter): Change {
  // PCRE sees bytes unless told otherwise by "u"; so do pattern and text here, as Latin-1.
  const isUnicode = options.includes('u')
  const prepare = (text: string) => (isUnicode ? text : toBytes(text))
  try {
    const pattern = compilePattern(prepare(regex), options)
    const parts = parseReplacement(prepare(replace))
    const change: Change = (text) => pattern.replace(text, (match) => fillReplacement(parts, match), scope)
    return isUnicode ? (bytes) => toBytes(change(fromBytes(bytes))) : change
  } catch (error) {
    throw new ConfigError(`regex "${regex}" validation failed: ${(error as Error).message}`)
  }
}

const toBytes = (text: string) => Buffer.from(text, 'utf8').toString('latin1')
const fromBytes = (bytes: string) => Buffer.from(bytes, 'latin1').toString('utf8')
