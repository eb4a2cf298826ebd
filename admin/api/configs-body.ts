import { parseJsonLists } from '../../src/lib/json-lists.ts'
import type { TimeSlices } from '../../src/lib/time-slices.ts'
import { yamlToJson } from '../../src/store/yaml-thread.ts'
import { type Refusal, refuse } from './answer.ts'
import { decode, findFault } from './body.ts'
import { describeJsonError } from './json-error.ts'

/** A whole configuration, member by member; lists of resources stand beside their versions. */
export type ConfigsDocument = ReadonlyMap<string, unknown>

/**
 * Reads the body of `configs` and `configs/validate`: YAML when its Content-Type begins so, else JSON (contract §1.10). Throws the
 * 400, which shows nothing of the body: it holds keys of consumers and certificates.
 */
export async function readConfigsBody(
  raw: Uint8Array | undefined,
  contentType: string | undefined,
  slices: TimeSlices,
): Promise<ConfigsDocument> {
  if (raw === undefined || raw.length === 0) throw invalid('empty request body')
  const text = decode(raw)
  if (text === undefined) throw invalid('not valid UTF-8')
  const isYaml = contentType?.startsWith('application/yaml') === true
  const document = isYaml ? await parseYamlBody(text, slices) : await parseJsonBody(text, slices)
  for (const value of document.values()) {
    for (const part of Array.isArray(value) ? value : [value]) {
      const fault = findFault(part)
      if (fault !== undefined) throw invalid(fault)
      await slices.pause()
    }
  }
  return document
}

/** Saying what is wrong with a longer text would hold the event loop. */
const EXPLAINED_LENGTH = 1024 * 1024

async function parseYamlBody(text: string, slices: TimeSlices): Promise<ConfigsDocument> {
  const json = await yamlToJson(text).catch(() => {
    throw invalid('invalid yaml request body')
  })
  if (json === '[]') return new Map()
  if (!json.startsWith('{')) throw invalid('invalid yaml request body')
  return parseJsonLists(json, slices)
}

async function parseJsonBody(text: string, slices: TimeSlices): Promise<ConfigsDocument> {
  try {
    return await parseJsonLists(text, slices)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    if (text.length > EXPLAINED_LENGTH) throw invalid('not a JSON object')
    return parseOddJson(text)
  }
}

/** An empty array counts as an empty object; everything else that comes here is refused. */
function parseOddJson(text: string): ConfigsDocument {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw invalid(describeJsonError(text))
  }
  if (Array.isArray(value) && value.length === 0) return new Map()
  const kind = value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`
  throw invalid(`expected a JSON object, got ${kind}`)
}

function invalid(reason: string): Refusal {
  return refuse(400, `invalid request body: ${reason}`)
}
