/** What a reference stands for at this moment. `reason` is for people and holds no part of a secret. */
export type SecretAnswer =
  | { readonly ok: true; readonly value: string }
  | { readonly ok: false; readonly reason: string }

/** The answer as long as no manager has given one. */
export const NOT_FETCHED = { ok: false, reason: 'not fetched yet' } as const satisfies SecretAnswer

/** What compiling sees of secrets: answers that are there, at once. */
export interface SecretSource {
  /** A reference that nobody asked for yet is answered with a reason that says so. */
  read(reference: string): SecretAnswer
}

/** One reference for the control API; never a value. */
export interface SecretStatus {
  readonly reference: string
  /** `vault/1`, or `env`; absent when the reference cannot be read. */
  readonly manager?: string
  /** `stale`: the value serves on although asking for it again failed. */
  readonly state: 'ok' | 'pending' | 'failed' | 'stale'
  /** Why it failed, or why it could not be refreshed. */
  readonly reason?: string
  /** Milliseconds since the value was fetched. */
  readonly ageMs?: number
}
