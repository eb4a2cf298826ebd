import type { Upstream as UpstreamDocument } from '../model/types.ts'
import type { UpstreamHandle } from '../plugin/definition.ts'
import { Upstream, type UpstreamEnvironment } from '../upstream/upstream.ts'
import { checkResource } from './validate.ts'

/** An upstream that a plugin sends requests to. */
export interface PluginUpstream extends UpstreamHandle {
  /** As it stands now; absent as long as no upstream of that id is configured. */
  current(): Upstream | undefined
}

/** A configured upstream, looked up for each request: it may come and go. */
export function upstreamById(id: string, find: (id: string) => Upstream | undefined): PluginUpstream {
  return {
    name: `upstreams/${id}`,
    current: () => find(id),
    isKnown: () => find(id) !== undefined,
  }
}

/** What is wrong with the document of a plugin's own upstream, in the words for a route's; `undefined` when {@link ownUpstream} takes it. */
export function checkOwnUpstream(document: Readonly<Record<string, unknown>>): string | undefined {
  return checkResource('upstreams', structuredClone(document), { plugins: NO_PLUGINS })?.replace(
    'invalid configuration: ',
    '',
  )
}

/** An upstream of the plugin's own, serving at once. Release it when nothing can reach it any more. Throws when the document cannot be used. */
export function ownUpstream(
  name: string,
  document: Readonly<Record<string, unknown>>,
  environment: UpstreamEnvironment,
): PluginUpstream & { release(): void } {
  const copy = structuredClone(document)
  const problem = checkResource('upstreams', copy, { plugins: NO_PLUGINS })
  if (problem !== undefined) throw new Error(problem)
  const upstream = Upstream.create(name, copy as UpstreamDocument, environment)
  upstream.start()
  return {
    name,
    current: () => upstream,
    isKnown: () => true,
    release() {
      upstream.stop(environment)
      upstream.dispose(environment)
    },
  }
}

/** An upstream carries none. */
const NO_PLUGINS = { check: () => undefined, get: () => undefined }
