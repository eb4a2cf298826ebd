import { compileValidator } from '../../../src/model/validator.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import { RegistryError } from '../../../src/registry/registry-error.ts'
import type { Choose } from '../../../src/registry/select.ts'
import type { Answer } from '../answer.ts'

/** What the registry's routes are made with. */
export interface RegistryDeps {
  readonly registry: Pick<Registry, 'view' | 'desks' | 'sockets' | 'countInvalidBeat'>
  /** Opens the registry and nothing else; absent: admin keys alone do. */
  readonly key: string | undefined
  /** Seconds; of nodes that ask for none. */
  readonly leaseTtl: number
  /** Monotonic, ms. */
  readonly nowMs: () => number
  readonly choose: Choose
}

/** One request to the registry, after it was let in. */
export interface RegistryCall {
  readonly method: string
  /** Of the path below the root, decoded. */
  readonly segments: readonly string[]
  readonly query: URLSearchParams
  /** Parsed JSON; `undefined` when there was none. */
  readonly body: unknown
  /** How the client reached this gateway: `http://host:port`. */
  readonly gatewayEndpoint: string
}

export type RegistryAnswer = Pick<Answer, 'status' | 'json' | 'headers'>

/** The body as its schema wants it. Throws `VALIDATION_FAILED`. */
export function checkedBody<T>(body: unknown, schema: BodySchema): T {
  const value = body === undefined ? {} : structuredClone(body)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RegistryError('VALIDATION_FAILED', 'the body must be a JSON object')
  }
  const problem = compileValidator(schema)(value)
  if (problem !== undefined) throw new RegistryError('VALIDATION_FAILED', `the body is not valid: ${problem}`)
  return withRightEmptiness(value as Record<string, unknown>, schema) as T
}

interface BodySchema {
  readonly properties: Readonly<Record<string, { readonly type?: string }>>
}

/** The admin API takes `[]` for an empty object and `{}` for an empty list; records hold what their readers expect. */
function withRightEmptiness(body: Record<string, unknown>, { properties }: BodySchema): object {
  const entries = Object.entries(body).map(([name, value]) => {
    const type = properties[name]?.type
    if (type === 'object' && Array.isArray(value)) return [name, {}]
    const isMapForList = type === 'array' && !Array.isArray(value)
    return [name, isMapForList ? [] : value]
  })
  return Object.fromEntries(entries)
}

/** An integer of the query. Throws `VALIDATION_FAILED` when it is out of bounds. */
export function numberOf(
  query: URLSearchParams,
  name: string,
  { min, max, fallback }: { readonly min: number; readonly max: number; readonly fallback: number },
): number {
  const text = query.get(name)
  if (text === null) return fallback
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new RegistryError('VALIDATION_FAILED', `${name} "${text}" is no number from ${min} to ${max}`)
}
