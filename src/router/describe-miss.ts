import type { Leaf } from './leaf.ts'
import type { MatchRequest, MissReason, RouteEntry } from './router.ts'

type Describe = (entry: RouteEntry<unknown>, request: MatchRequest, uri: string) => string

const DESCRIPTIONS: Record<MissReason, Describe> = {
  uri: (_entry, request, uri) => `path ${quote(request.path)} is not ${quote(uri)}`,
  param: (_entry, request, uri) => `path ${quote(request.path)} does not fit ${quote(uri)}`,
  method: (entry, request) => `method ${request.method} is not one of ${entry.methods.join(', ')}`,
  remote_addr: (entry, request) =>
    `remote_addr ${request.remoteAddr} is not in ${entry.remoteAddrs.join(', ')}`,
  host: (entry, request) => `host ${quote(request.rawHost)} fits none of ${entry.hosts.join(', ')}`,
  vars: (entry, request) => `vars: ${entry.vars?.firstFailure(request) ?? 'a rule'} did not hold`,
  filter_func: (entry, request) => `filter_func ${filterOutcome(entry, request)}`,
}

/** Why the leaf was passed over, as a sentence with the values compared. */
export function describeMiss<T>(reason: MissReason, leaf: Leaf<T>, request: MatchRequest): string {
  return DESCRIPTIONS[reason](leaf.entry, request, leaf.uri)
}

function filterOutcome(entry: RouteEntry<unknown>, request: MatchRequest): string {
  try {
    return `returned ${entry.filter?.(request)}`
  } catch (error) {
    return `threw: ${error instanceof Error ? error.message : error}`
  }
}

function quote(text: string): string {
  return JSON.stringify(text)
}
