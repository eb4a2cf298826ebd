import type { Answer } from './answer.ts'
import type { AdminScope } from './deps.ts'
import type { WriteOptions } from './write-options.ts'

/** No id is longer; what the path says beyond is not asked of the store, whose keys have a limit. */
export const MAX_ID_LENGTH = 256

/** One request to a resource, after it was let in. */
export interface Call {
  readonly method: string
  /** What the resource belongs to, where paths say so: a consumer's name, a manager of secrets. */
  readonly parent?: string
  /** What follows the resource in the path, decoded; below a parent what follows there. `undefined` when nothing does. */
  readonly id: string | undefined
  /** What follows the id. */
  readonly subPath: readonly string[]
  readonly query: URLSearchParams
  /** Parsed JSON; `undefined` when there was no body. */
  readonly body: unknown
  /** Seconds of `?ttl=`, any number. */
  readonly ttl: number | undefined
  readonly options: WriteOptions
  /** What the caller's key is limited to; `undefined` for a key without limits. */
  readonly scope: AdminScope | undefined
}

/** One request with a body that its endpoint reads itself, after it was let in. */
export interface RawCall {
  readonly body: Uint8Array | undefined
  /** As the client sent them. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** What answers a path. It may throw a refusal. */
export interface Endpoint {
  readonly answer: (call: Call) => Answer | Promise<Answer>
  /** Instead of `answer`, for bodies that are not one JSON document. */
  readonly answerRaw?: (call: RawCall) => Promise<Answer>
  /** Whether its answers, good or bad, carry `X-API-VERSION` (contract §1.1). */
  readonly isVersioned: boolean
  /**
   * What a request to it touches: `resource` is one stored resource or the list of a kind, which honours every write option and
   * scope by itself; `nothing` shows or checks without looking at stored configuration; `everything`, when absent, is closed to keys
   * that are limited to some resources, and to dry runs.
   */
  readonly touches?: 'resource' | 'nothing'
}
