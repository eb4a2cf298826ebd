import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseDocument,
  type YAMLMap,
} from 'yaml'
import { convert, type Environment, substitute } from '../lib/env-variables.ts'
import type { Layer } from './layer.ts'
import { childPath } from './path.ts'
import { SettingsError } from './settings-error.ts'

/** Aliases may repeat content; a file that grows beyond this is a mistake or an attack. */
const MAX_NODES = 100_000
const MAX_DEPTH = 64

/**
 * Reads YAML text with its line numbers and puts environment variables in. `name` is the file as the user wrote it, for messages.
 * Throws {@link SettingsError} for text that is not YAML, not a map, or names a variable that is not set.
 */
export function parseYaml(text: string, name: string, env: Environment): Layer {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: true })
  const walk: Walk = { document, lineCounter, name, env, lines: new Map(), raws: new Map(), nodes: 0 }
  if (document.errors.length > 0) {
    throw new SettingsError(
      document.errors.map((error) => `${name}:${lineCounter.linePos(error.pos[0]).line}: ${error.message}`),
    )
  }
  const tree = toValue({ node: document.contents, path: '', depth: 0 }, walk) ?? {}
  if (typeof tree !== 'object' || Array.isArray(tree)) {
    throw new SettingsError([`${name}: the file holds no map; it starts with a key such as "apisix:"`])
  }
  return {
    tree: tree as Record<string, unknown>,
    origin: (path) => `${name}:${lineOf(path, walk)}`,
    rawText: (path) => walk.raws.get(path),
  }
}

interface Walk {
  readonly document: Document
  readonly lineCounter: LineCounter
  readonly name: string
  readonly env: Environment
  readonly lines: Map<string, number>
  readonly raws: Map<string, string>
  nodes: number
}

interface Place {
  readonly node: unknown
  readonly path: string
  readonly depth: number
}

function toValue(place: Place, walk: Walk): unknown {
  const { path, depth } = place
  const node = isAlias(place.node) ? place.node.resolve(walk.document) : place.node
  noteLine(place, walk)
  if (++walk.nodes > MAX_NODES || depth > MAX_DEPTH) {
    throw new SettingsError([
      `${walk.name}: too large or too deep; at most ${MAX_NODES} values and ${MAX_DEPTH} levels`,
    ])
  }
  if (isMap(node)) return mapToValue(node, place, walk)
  if (isSeq(node)) {
    return node.items.map((item, index) =>
      toValue({ node: item, path: childPath(path, index), depth: depth + 1 }, walk),
    )
  }
  return isScalar(node) ? scalarToValue(node.value, path, walk) : null
}

function mapToValue(map: YAMLMap, place: Place, walk: Walk): Record<string, unknown> {
  const own: Record<string, unknown> = {}
  const merged: Record<string, unknown> = {}
  for (const pair of map.items) {
    const name = keyOf(pair, place, walk)
    const isMerge = name === '<<'
    const path = isMerge ? place.path : childPath(place.path, name)
    if (!isMerge) noteLine({ node: pair.key, path, depth: 0 }, walk)
    const value = toValue({ node: pair.value, path, depth: place.depth + 1 }, walk)
    if (isMerge) Object.assign(merged, ...[value].flat().reverse())
    else own[name] = value
  }
  return { ...merged, ...own }
}

function keyOf(pair: Pair, place: Place, walk: Walk): string {
  const raw = isScalar(pair.key) ? String(pair.key.value) : String(pair.key)
  const name = putVariablesIn(raw, place.path, walk) ?? raw
  if (name === '__proto__') throw new SettingsError([`${walk.name}: unknown key "__proto__"`])
  return name
}

function scalarToValue(value: unknown, path: string, walk: Walk): unknown {
  if (typeof value !== 'string') return value
  const text = putVariablesIn(value, path, walk)
  if (text === undefined) return value
  walk.raws.set(path, text)
  return convert(text)
}

function putVariablesIn(text: string, path: string, walk: Walk): string | undefined {
  try {
    return substitute(text, walk.env)
  } catch (error) {
    throw new SettingsError([`${walk.name}:${lineOf(path, walk)}: ${(error as Error).message}`])
  }
}

function noteLine(place: Place, walk: Walk): void {
  const range = (place.node as { range?: [number, number, number] } | null)?.range
  if (range && !walk.lines.has(place.path))
    walk.lines.set(place.path, walk.lineCounter.linePos(range[0]).line)
}

function lineOf(path: string, walk: Walk): number {
  return walk.lines.get(path) ?? 1
}
