import { type Environment, substitute, substituteIn } from '../lib/env-variables.ts'
import { parseJsonLists } from '../lib/json-lists.ts'
import { TimeSlices } from '../lib/time-slices.ts'
import { isKind } from '../model/kind.ts'
import { checkKey } from './keys.ts'

export type FileFormat = 'yaml' | 'json'

export interface FileRules {
  readonly format: FileFormat
  /** Put before every key, such as `/apisix`. */
  readonly prefix: string
  readonly env: Environment
  /** May answer with a promise. Throws an Error that shows no part of the text, which may hold secrets. */
  readonly parseYaml: (text: string) => unknown
}

export interface FileContent {
  /** Key to JSON text. */
  readonly values: ReadonlyMap<string, string>
  /** Items that were left out or replaced, one sentence each. */
  readonly warnings: readonly string[]
}

/**
 * What `apisix.yaml` or `apisix.json` says, as keys and values of a store (contract §2.3): `<prefix>/<dir>/<id>`, the id being `id`,
 * else `username`, else `arr_<n>` counted from 1. Large files are read in slices. Throws an Error with the reason when the file as a
 * whole cannot be used.
 */
export async function readFileContent(text: string, rules: FileRules): Promise<FileContent> {
  const slices = new TimeSlices()
  const document =
    rules.format === 'yaml' ? await parseYamlFile(text, rules) : await parseJsonFile(text, rules.env, slices)
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new Error('it holds no mapping of resource kinds, such as "routes", to lists')
  }
  const values = new Map<string, string>()
  const warnings: string[] = []
  for (const [dir, list] of Object.entries(document)) {
    for (const _ of addList({ values, warnings }, `${rules.prefix}/${dir}`, list)) await slices.pause()
  }
  return { values, warnings }
}

/** A file that is still being written has no end mark yet (contract §2.3: within its last ten bytes). */
const END_MARK = /#END\s*$/

async function parseYamlFile(text: string, { env, parseYaml }: FileRules): Promise<unknown> {
  if (!END_MARK.test(text.slice(-10)))
    throw new Error('its last line is not #END; add that line once the file is complete')
  const document = await parseYaml(substitute(text, env) ?? text)
  if (document === null || document === undefined) throw new Error('there is nothing before #END')
  return document
}

async function parseJsonFile(text: string, env: Environment, slices: TimeSlices): Promise<unknown> {
  const members = await parseJsonLists(text, slices).catch(() => undefined)
  if (members === undefined) return parseJson(text)
  const document: [string, unknown][] = []
  for (const [name, value] of members) {
    const isList = Array.isArray(value)
    const parts: unknown[] = []
    for (const part of isList ? value : [value]) {
      parts.push(substituteIn(part, env))
      await slices.pause()
    }
    document.push([substitute(name, env) ?? name, isList ? parts : parts[0]])
  }
  return Object.fromEntries(document)
}

/** For what {@link parseJsonLists} does not take: says what is wrong, or that it is no object by what it is. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // The engine's message quotes the text, and the text may hold secrets.
    const position = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined
    const before = position === undefined ? undefined : text.slice(0, Number(position))
    throw new Error(
      `it is not valid JSON${before === undefined ? '' : ` (line ${before.split('\n').length})`}`,
    )
  }
}

interface Content {
  readonly values: Map<string, string>
  readonly warnings: string[]
}

/** Item by item. */
function* addList(content: Content, path: string, list: unknown): Generator<void> {
  const dir = path.slice(path.lastIndexOf('/') + 1)
  if (list === null) return
  if (!Array.isArray(list)) {
    // Other mappings are where people keep YAML anchors.
    if (isKind(dir) || dir === 'plugins') throw new Error(`"${dir}" is not a list`)
    return
  }
  if (dir === 'plugins') {
    // The list of enabled plugins is one item, not a directory (contract §2.1).
    content.values.set(path, JSON.stringify(list))
    return
  }
  for (const [index, item] of list.entries()) {
    addItem(content, path, { item, number: index + 1 })
    yield
  }
}

function addItem(content: Content, path: string, { item, number }: { item: unknown; number: number }): void {
  const key = `${path}/${itemId(item, number)}`
  try {
    checkKey(key)
  } catch (error) {
    content.warnings.push(`item ${number} of ${path} was left out: ${(error as Error).message}`)
    return
  }
  if (content.values.has(key)) content.warnings.push(`${key} is there more than once: the last one counts`)
  content.values.set(key, JSON.stringify(item))
}

/** The last part of an item's key: its `id`, else its `username`, else its place in the list, counted from 1 (contract §2.3). */
export function itemId(item: unknown, number: number): string {
  const { id, username } = (item ?? {}) as { readonly id?: unknown; readonly username?: unknown }
  const named = [id, username].find(
    (name) => typeof name === 'number' || (typeof name === 'string' && name !== ''),
  )
  return named === undefined ? `arr_${number}` : String(named)
}
