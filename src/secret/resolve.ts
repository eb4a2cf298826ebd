import { isSecretReference } from '../model/reference.ts'
import { findReferences } from './reference.ts'
import type { SecretSource } from './secret-source.ts'

/** A reference that has no value, with where it stands: `plugins.key-auth.key`. */
export interface Unresolved {
  readonly reference: string
  readonly path: string
  readonly reason: string
}

export interface Resolved<Document> {
  /** The document itself when it holds no reference; else a copy that shares what has none. Unresolved references stay in it. */
  readonly document: Document
  readonly unresolved: readonly Unresolved[]
}

/** Levels that are walked, so that a hostile document cannot exhaust the stack; references below count as unresolved. */
const DEEPEST = 200

/**
 * Puts the values in the place of all references in a document. What uses the result must not serve while something is unresolved:
 * a reference is never taken for the secret (decision 21).
 */
export function resolveReferences<Document>(document: Document, source: SecretSource): Resolved<Document> {
  const unresolved: Unresolved[] = []
  const resolved = resolveValue(document, '', { source, unresolved, depth: 0 })
  return { document: resolved as Document, unresolved }
}

interface Walk {
  readonly source: SecretSource
  readonly unresolved: Unresolved[]
  readonly depth: number
}

function resolveValue(value: unknown, path: string, walk: Walk): unknown {
  if (isSecretReference(value)) return readOne(value, path, walk)
  if (typeof value !== 'object' || value === null) return value
  if (walk.depth >= DEEPEST) return refuseDeep(value, path, walk)
  const inner = { ...walk, depth: walk.depth + 1 }
  let copy: Record<string, unknown> | unknown[] | undefined
  for (const [key, before] of Object.entries(value)) {
    const after = resolveValue(before, path === '' ? key : `${path}.${key}`, inner)
    if (after === before) continue
    copy ??= Array.isArray(value) ? [...value] : { ...value }
    Object.defineProperty(copy, key, { value: after, writable: true, enumerable: true, configurable: true })
  }
  return copy ?? value
}

function readOne(reference: string, path: string, { source, unresolved }: Walk): string {
  const answer = source.read(reference)
  if (answer.ok) return answer.value
  unresolved.push({ reference, path, reason: answer.reason })
  return reference
}

function refuseDeep(value: object, path: string, { unresolved }: Walk): object {
  for (const reference of findReferences(value)) {
    unresolved.push({ reference, path, reason: `it stands more than ${DEEPEST} levels deep in its document` })
  }
  return value
}
