import type { AnyPlugin, PluginHost, PublicApi } from './definition.ts'

/** The endpoints that enabled plugins offer to clients; only a route with the `public-api` plugin leads there (contract §6). */
export class PublicApis {
  readonly #enabled: () => readonly AnyPlugin[]
  readonly #hostFor: (plugin: AnyPlugin) => PluginHost
  readonly #made = new WeakMap<AnyPlugin, readonly PublicApi[]>()

  constructor(enabled: () => readonly AnyPlugin[], hostFor: (plugin: AnyPlugin) => PluginHost) {
    this.#enabled = enabled
    this.#hostFor = hostFor
  }

  find(method: string, uri: string): PublicApi | undefined {
    for (const plugin of this.#enabled()) {
      const found = this.#of(plugin).find((api) => api.methods.includes(method) && isMeant(api.uri, uri))
      if (found) return found
    }
    return undefined
  }

  #of(plugin: AnyPlugin): readonly PublicApi[] {
    if (!plugin.publicApi) return NONE
    let apis = this.#made.get(plugin)
    if (!apis) {
      apis = plugin.publicApi(this.#hostFor(plugin))
      this.#made.set(plugin, apis)
    }
    return apis
  }
}

const NONE: readonly PublicApi[] = []

/** A `*` at the end stands for any rest. */
function isMeant(pattern: string, uri: string): boolean {
  return pattern.endsWith('*') ? uri.startsWith(pattern.slice(0, -1)) : pattern === uri
}
