/** One source of settings, in file form, before it is checked and merged. */
export interface Layer {
  readonly tree: Readonly<Record<string, unknown>>
  /** Where the value at a path was written: `config.yaml:12`, `env`, `flag`. */
  origin(path: string): string
  /** The text before conversion, where an environment variable gave the value at a path. */
  rawText(path: string): string | undefined
}

/** A layer whose values all come from one place; `values` is keyed by path without indices (`apisix.node_listen`). */
export function layerOf(values: Readonly<Record<string, unknown>>, origin: string): Layer {
  const tree: Record<string, unknown> = {}
  for (const [path, value] of Object.entries(values)) {
    const keys = path.split('.')
    const last = keys.pop()!
    let parent = tree
    for (const step of keys) {
      parent[step] ??= {}
      parent = parent[step] as Record<string, unknown>
    }
    parent[last] = value
  }
  return { tree, origin: () => origin, rawText: () => undefined }
}
