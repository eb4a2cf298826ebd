import { compilePcre } from '../../src/lib/pcre.ts'
import { PatternLimitError, UnsafePatternError } from '../../src/lib/safe-pattern.ts'
import type { Kind } from '../../src/model/kind.ts'
import { isObject } from '../../src/model/schema-value.ts'
import type { StoredItem } from '../../src/store/config-store.ts'
import { refuse } from './answer.ts'
import { parseStored } from './stored.ts'

type Test = (document: Readonly<Record<string, unknown>>) => boolean
type Filter = (argument: string, kind: Kind) => Test

/** By query argument (contract §1.4). */
const FILTERS: Readonly<Record<string, Filter>> = {
  name: (pattern) => searching(pattern, ({ name }) => [name]),
  uri: (pattern) => searching(pattern, ({ uri, uris }) => [uri, ...(Array.isArray(uris) ? uris : [])]),
  label:
    (key) =>
    ({ labels }) =>
      isObject(labels) && Object.hasOwn(labels, key),
  filter: (argument, kind) => referring(kind, new URLSearchParams(argument)),
}

/** The items that pass every filter of the query. Throws a 400 when a pattern would take too long. */
export function filterItems(
  items: readonly StoredItem[],
  kind: Kind,
  query: URLSearchParams,
): readonly StoredItem[] {
  try {
    const tests = Object.entries(FILTERS).flatMap(([name, filter]) => {
      const argument = query.get(name)
      return argument === null ? [] : [filter(argument, kind)]
    })
    if (tests.length === 0) return items
    return items.filter((item) => {
      const value = parseStored(item.value)
      return tests.every((test) => test(isObject(value) ? value : {}))
    })
  } catch (error) {
    if (error instanceof UnsafePatternError || error instanceof PatternLimitError)
      throw refuse(400, error.message)
    throw error
  }
}

/** A pattern that is none finds nothing. */
function searching(pattern: string, texts: (document: Readonly<Record<string, unknown>>) => unknown[]): Test {
  const compiled = compilePcre(pattern)
  if (compiled === undefined) return () => false
  return (document) => texts(document).some((text) => typeof text === 'string' && compiled.test(text))
}

function referring(kind: Kind, wanted: URLSearchParams): Test {
  if (kind !== 'routes' && kind !== 'stream_routes') return () => true
  return (document) =>
    ['service_id', 'upstream_id'].every((field) => {
      const id = wanted.get(field)
      return id === null || document[field] === id
    })
}
