import type { InstanceHost } from '../../src/plugin/api.ts'
import { compileAny } from '../_shared/pattern/any-pattern.ts'
import type { CorsMetadata } from './schema.ts'

/** The origin to name in the answer to a request from `origin`, `undefined` for none. */
export type AnswerOrigin = (origin: string | undefined) => string | undefined

/** Compiles `*`, `**`, one origin, which is named to everyone, or a list, of which a request hears its own (contract §7.2). */
export function compileOrigins(text: string): AnswerOrigin {
  if (text === '**') return (origin) => origin ?? '*'
  if (!text.includes(',')) return () => text
  const listed = new Set(text.split(','))
  return (origin) => (origin !== undefined && listed.has(origin) ? origin : undefined)
}

/** Compiles patterns of which one must match. Throws a `ConfigError` for one that cannot be used. */
export function compileOriginPatterns(sources: readonly string[], attribute: string): AnswerOrigin {
  const matches = compileAny(sources, attribute)
  return (origin) => (origin !== undefined && matches(origin) ? origin : undefined)
}

/** `own`, and for an origin that it does not have the lists of the metadata, as they are at the time of the request. */
export function orFromMetadata(own: AnswerOrigin, keys: readonly string[], host: InstanceHost): AnswerOrigin {
  let metadata: object | undefined
  let lists: readonly AnswerOrigin[] = []
  const names = (answer: string | undefined, origin: string | undefined) =>
    answer === '*' || (answer !== undefined && answer === origin)
  return (origin) => {
    const answer = own(origin)
    if (names(answer, origin)) return answer
    const current = host.metadata()
    if (current !== metadata) {
      metadata = current
      lists = compileLists(current as CorsMetadata, keys)
    }
    for (const list of lists) {
      const found = list(origin)
      if (names(found, origin)) return found
    }
    return answer
  }
}

function compileLists({ allow_origins: lists = {} }: CorsMetadata, keys: readonly string[]): AnswerOrigin[] {
  return keys.flatMap((key) => (Object.hasOwn(lists, key) ? [compileOrigins(lists[key] as string)] : []))
}
