import type { Answer } from './answer.ts'

/** No id is longer; what the path says beyond is not asked of the store, whose keys have a limit. */
export const MAX_ID_LENGTH = 256

/** One request to a resource, after it was let in. */
export interface Call {
  readonly method: string
  /** What follows the resource in the path, decoded; `undefined` when nothing does. */
  readonly id: string | undefined
  /** What follows the id. */
  readonly subPath: readonly string[]
  readonly query: URLSearchParams
  /** Parsed JSON; `undefined` when there was no body. */
  readonly body: unknown
  /** Seconds of `?ttl=`, any number. */
  readonly ttl: number | undefined
}

/** What answers a path. It may throw a refusal. */
export interface Endpoint {
  readonly answer: (call: Call) => Answer | Promise<Answer>
  /** Whether its answers, good or bad, carry `X-API-VERSION` (contract §1.1). */
  readonly isVersioned: boolean
}
