import type { SecretFetch } from '../http-fetch.ts'
import type { SecretDocument } from '../secret-document.ts'

/** A secret manager that is set up. */
export interface SecretBackend {
  /** What stands under `path`. Rejects with a SecretFailure, or with the signal's reason. */
  fetch(path: string, signal: AbortSignal): Promise<SecretDocument>
}

export interface BackendDeps {
  readonly fetch: SecretFetch
  /** Monotonic, in milliseconds. */
  readonly nowMs: () => number
  /** Milliseconds since the epoch. */
  readonly wallMs: () => number
  /** Aborted when the manager is replaced or deleted; ends what several look-ups share. */
  readonly lifetime: AbortSignal
}

/** The document of a secrets resource, its references to the environment resolved. */
export type ManagerConfig = Readonly<Record<string, unknown>>

/** Sets a manager up. Throws a SecretFailure when the configuration cannot be used. */
export type CreateBackend = (config: ManagerConfig, deps: BackendDeps) => SecretBackend
