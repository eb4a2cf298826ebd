import type { RequestContext } from '../../src/plugin/api.ts'
import type { StoredHead } from '../_shared/cache/cache-store.ts'
import { parseDate } from './cache-control.ts'

/** Of a 304 (RFC 9110 §15.4.5). */
const KEPT: ReadonlySet<string> = new Set([
  ...['cache-control', 'content-location', 'date', 'etag', 'expires', 'vary', 'last-modified'],
])
const ENTITY_TAG = /(?:W\/)?"[^"]*"/g

/** Whether the client has said that it has what is stored, so that a 304 is the answer (RFC 9110 §13.2.2). */
export function isNotModified({ method, headers }: RequestContext, stored: StoredHead): boolean {
  if (stored.status !== 200 || (method !== 'GET' && method !== 'HEAD')) return false
  if (headers.has('if-none-match')) return matchesTag(headers.all('if-none-match').join(), stored)
  const since = dateIn(headers.get('if-modified-since'))
  const modified = dateIn(headerOf(stored, 'last-modified'))
  return since !== undefined && modified !== undefined && modified <= since
}

/** The headers that a 304 for it carries, flat. */
export function notModifiedHeaders({ headers }: StoredHead): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    if (KEPT.has(headers[i]!.toLowerCase())) kept.push(headers[i]!, headers[i + 1]!)
  }
  return kept
}

function matchesTag(list: string, stored: StoredHead): boolean {
  if (list.trim() === '*') return true
  const tag = headerOf(stored, 'etag')
  return tag !== undefined && (list.match(ENTITY_TAG) ?? []).some((one) => strong(one) === strong(tag))
}

/** Whether a tag is weak does not count here (RFC 9110 §13.1.2). */
function strong(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag
}

function headerOf({ headers }: StoredHead, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.toLowerCase() === name) return headers[i + 1]
  }
  return undefined
}

function dateIn(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDate(text)
}
