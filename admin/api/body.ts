import { isObject } from '../../src/model/schema-value.ts'
import { Refusal, refuse } from './answer.ts'
import { describeJsonError } from './json-error.ts'

/** Deeper documents are refused, as by APISIX's parser; what walks a document may recurse. */
const MAX_DEPTH = 1000

const DECODER_OPTIONS = { fatal: true, ignoreBOM: true }

/**
 * Reads a body as JSON whatever its Content-Type says; `undefined` when there is none. Throws the 400 of contract §1.1, also for
 * texts that JSON allows and that could not be stored unchanged: numbers too large, bytes that are no UTF-8.
 */
export function parseBody(raw: Uint8Array | undefined): unknown {
  if (raw === undefined || raw.length === 0) return undefined
  const text = decode(raw)
  if (text === undefined) throw invalid('not valid UTF-8', new TextDecoder().decode(raw))
  const value = parse(text)
  const fault = findFault(value)
  if (fault !== undefined) throw invalid(fault, text)
  return value
}

/** The body as the document it has to be: an object, an empty array counting as one. `undefined` when there is none. */
export function asDocument(body: unknown): Record<string, unknown> | undefined {
  if (body === undefined || isObject(body)) return body
  if (Array.isArray(body) && body.length === 0) return {}
  const kind = body === null ? 'null' : Array.isArray(body) ? 'an array' : `a ${typeof body}`
  throw refuse(400, `invalid request body: expected a JSON object, got ${kind}`)
}

/** The text of a body; `undefined` when its bytes are no UTF-8. */
export function decode(raw: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', DECODER_OPTIONS).decode(raw)
  } catch {
    return undefined
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid(describeJsonError(text), text)
  }
}

function invalid(reason: string, text: string): Refusal {
  return new Refusal({ status: 400, json: { error_msg: `invalid request body: ${reason}`, req_body: text } })
}

/** What JSON allows and a store could not keep unchanged. Without recursion: the depth is what it guards against. */
export function findFault(root: unknown): string | undefined {
  const pending: [value: unknown, depth: number][] = [[root, 1]]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [value, depth] = next
    if (typeof value === 'number' && !Number.isFinite(value)) return 'a number is too large to be kept'
    if (typeof value !== 'object' || value === null) continue
    if (depth > MAX_DEPTH) return `Found too many nested data structures (${depth})`
    for (const member of Object.values(value)) pending.push([member, depth + 1])
  }
  return undefined
}

/** Whether a value has more levels than a body may have: then nothing that recurses, `JSON.stringify` included, may be given it. */
export function isTooDeep(root: unknown): boolean {
  let level = [root].filter(isContainer)
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return true
    level = level.flatMap((container) => Object.values(container).filter(isContainer))
  }
  return false
}

/** The shortest text with one level too many. */
export const MIN_DEEP_LENGTH = 2 * MAX_DEPTH + 2

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
