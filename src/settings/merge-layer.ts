import { isMap, type SectionSpec } from './key-spec.ts'
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
 * or a free map and removes a key that has no default; any other key keeps what it had, because nothing can do without it.
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
    const spec = layer.spec.keys[name]?.value
    if (value === undefined) continue
    if (spec?.kind === 'section' && Object.keys(spec.keys).length > 0) {
      if (!isMap(value)) continue
      const child = isMap(base[name]) ? { ...base[name] } : {}
      base[name] = child
      mergeLayer(child, { tree: value, spec, path }, merge)
    } else if (value === null) {
      remove(
        base,
        { name, path, empty: spec?.kind === 'list' ? [] : spec?.kind === 'section' ? {} : undefined },
        merge,
      )
    } else {
      base[name] = isMap(value) ? withoutNulls({ ...(isMap(base[name]) ? base[name] : {}), ...value }) : value
      merge.sources.set(path, merge.origin(path))
    }
  }
}

function remove(
  base: MutableTree,
  target: { readonly name: string; readonly path: string; readonly empty: unknown },
  merge: Merge,
): void {
  if (target.empty === undefined) return
  base[target.name] = target.empty
  merge.sources.set(target.path, merge.origin(target.path))
}

function withoutNulls(map: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(map).filter(([, value]) => value !== null))
}
