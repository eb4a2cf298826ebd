import type { StoredReference } from './reference.ts'
import { fieldOf, type SecretDocument } from './secret-document.ts'
import type { SecretAnswer } from './secret-source.ts'

/** One reference that somebody uses or asked for. */
export interface Asked {
  readonly text: string
  readonly reference: StoredReference
  readonly lookUp: LookUp
  /** How often documents retain it; at 0 it is forgotten when its time is up. */
  uses: number
  /** Absent until the first answer. */
  answer: SecretAnswer | undefined
  /** What whoever read it last was told. */
  told: SecretAnswer | undefined
}

/** What is asked of a manager in one call: a path, with all references to its fields. */
export interface LookUp {
  readonly manager: string
  readonly path: string
  readonly asked: Set<Asked>
  /** The last good one. */
  document: SecretDocument | undefined
  /** On the monotonic clock; when `document` came. */
  fetchedAtMs: number
  /** Why the last call failed. */
  problem: string | undefined
  /** Ends the wait for the next call. */
  cancelNext: (() => void) | undefined
  /** Whether a call was ever ordered. */
  isStarted: boolean
}

/** What came of one call. */
export type Outcome =
  | { readonly ok: true; readonly document: SecretDocument }
  | { readonly ok: false; readonly reason: string; readonly isAbsent: boolean }

/** Takes the outcome of a call in. */
export function learn(lookUp: LookUp, outcome: Outcome, nowMs: number): void {
  if (outcome.ok) {
    lookUp.document = outcome.document
    lookUp.fetchedAtMs = nowMs
    lookUp.problem = undefined
  } else {
    lookUp.problem = outcome.reason
    if (outcome.isAbsent) lookUp.document = undefined
  }
}

/** What is known about a reference after a call. */
export function answerOf({ lookUp, reference }: Asked): SecretAnswer {
  if (lookUp.document) return fieldOf(lookUp.document, reference.field)
  return { ok: false, reason: lookUp.problem ?? 'not fetched yet' }
}
