import { isMap, type KeySpec, type SectionSpec } from './key-spec.ts'
import { childPath } from './path.ts'

/** A tree of settings while layers are being put on it. */
export type MutableTree = { [key: string]: unknown }

export interface Merge {
  /** Where the value of each path came from; kept up to date. */
  readonly sources: Map<string, string>
  origin(path: string): string
}

/**
 * Puts a checked layer over `base`: maps merge, lists and single values replace, null deletes (contract §9). To delete empties a list
 * or a free map and takes a deletable key away; any other key keeps what it had, because nothing can do without it.
 */
export function mergeLayer(
  base: MutableTree,
  layer: {
    readonly tree: Readonly<Record<string, unknown>>
    readonly spec: SectionSpec
    readonly path: string
  },
  merge: Merge,
): void {
  for (const [name, value] of Object.entries(layer.tree)) {
    const path = childPath(layer.path, name)
    const key = Object.hasOwn(layer.spec.keys, name) ? layer.spec.keys[name] : undefined
    const group =
      key?.value.kind === 'section' && Object.keys(key.value.keys).length > 0 ? key.value : undefined
    if (value === undefined || (value === null && group)) continue
    if (group && isMap(value)) {
      const child = isMap(base[name]) ? { ...base[name] } : {}
      base[name] = child
      mergeLayer(child, { tree: value, spec: group, path }, merge)
    } else if (value !== null || remove(base, name, key)) {
      if (value !== null) base[name] = isMap(value) ? withoutNulls({ ...asMap(base[name]), ...value }) : value
      merge.sources.set(path, merge.origin(path))
    }
  }
}

/** Whether there was anything to delete. */
function remove(base: MutableTree, name: string, key: KeySpec | undefined): boolean {
  if (key?.isDeletable || key === undefined) return delete base[name]
  if (key.value.kind === 'list') base[name] = []
  else if (key.value.kind === 'section') base[name] = {}
  else return false
  return true
}

function asMap(value: unknown): Readonly<Record<string, unknown>> {
  return isMap(value) ? value : {}
}

function withoutNulls(map: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(map).filter(([, value]) => value !== null))
}
