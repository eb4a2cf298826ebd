import type { IncomingHttpHeaders } from 'node:http'
import type { StoredItem } from '../../src/store/config-store.ts'
import { refuse } from './answer.ts'

/** What `If-Match` and `If-None-Match` ask of the stored resource before it is changed. */
export interface Precondition {
  /** Revisions of which one must be the stored one; `any` is met by whatever exists. */
  readonly match?: readonly number[] | 'any'
  readonly mustBeAbsent: boolean
}

const REVISION = /^(?:"(\d{1,16})"|(\d{1,16}))$/

/** Reads the two headers; `undefined` when neither was sent. Throws a 400 for what is no revision. */
export function readPrecondition(headers: IncomingHttpHeaders): Precondition | undefined {
  const match = headers['if-match']
  const noneMatch = headers['if-none-match']
  if (match === undefined && noneMatch === undefined) return undefined
  if (noneMatch !== undefined && noneMatch.trim() !== '*') {
    throw refuse(400, `invalid If-None-Match: ${shorten(noneMatch)}; only * is supported, "must not exist"`)
  }
  return {
    ...(match !== undefined && { match: readMatch(match) }),
    mustBeAbsent: noneMatch !== undefined,
  }
}

function readMatch(text: string): readonly number[] | 'any' {
  if (text.trim() === '*') return 'any'
  return text.split(',').map((part) => {
    const [, quoted, bare] = REVISION.exec(part.trim()) ?? []
    const revision = Number(quoted ?? bare)
    if (Number.isSafeInteger(revision)) return revision
    throw refuse(
      400,
      `invalid If-Match: ${shorten(text)}; use the modifiedIndex of the resource, such as "123", or *`,
    )
  })
}

/**
 * Compares with what is stored under `key`; throws the 412. Returns the revision that the write must find, so that nothing comes
 * between the look and the write.
 */
export function checkPrecondition(
  { match, mustBeAbsent }: Precondition,
  key: string,
  stored: StoredItem | undefined,
): number {
  if (match !== undefined && !meets(match, stored)) throw preconditionFailed(key, stored, wanted(match))
  if (mustBeAbsent && stored !== undefined) {
    throw preconditionFailed(key, stored, 'If-None-Match: * asks that it does not exist')
  }
  return stored?.modRevision ?? 0
}

/** The 412 of a write that found another revision than the one it was checked against. */
export function changedMeanwhile(key: string, stored: StoredItem | undefined) {
  return preconditionFailed(key, stored, 'it was changed while this request was being checked')
}

function preconditionFailed(key: string, stored: StoredItem | undefined, why: string) {
  const state = stored === undefined ? 'does not exist' : `is at revision ${stored.modRevision}`
  return refuse(412, `precondition failed: ${key} ${state}; ${why}`)
}

function meets(match: readonly number[] | 'any', stored: StoredItem | undefined): boolean {
  return stored !== undefined && (match === 'any' || match.includes(stored.modRevision))
}

function wanted(match: readonly number[] | 'any'): string {
  return match === 'any'
    ? 'If-Match: * asks that it exists'
    : `If-Match asks for revision ${match.join(' or ')}`
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
