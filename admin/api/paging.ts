import { Refusal } from './answer.ts'
import type { ShownItem } from './stored.ts'

const MIN_PAGE_SIZE = 10
const MAX_PAGE_SIZE = 500

/**
 * The page that `page` and `page_size` ask for, in order of creation; all items as they are when either is no number. An empty page
 * is an empty object, as clients of APISIX know it (contract §0 item 9). Throws the 400 of contract §1.4.
 */
export function paginate(
  items: readonly ShownItem[],
  query: URLSearchParams,
): readonly ShownItem[] | Record<string, never> {
  const page = readNumber(query.get('page'))
  const size = readNumber(query.get('page_size'))
  if (page === undefined || size === undefined) return items
  if (size < MIN_PAGE_SIZE || size > MAX_PAGE_SIZE) {
    throw new Refusal({
      status: 400,
      text: `page_size must be between ${MIN_PAGE_SIZE} and ${MAX_PAGE_SIZE}`,
    })
  }
  const first = (Math.max(1, Math.floor(page)) - 1) * Math.floor(size)
  const shown = [...items]
    .sort((a, b) => a.createdIndex - b.createdIndex)
    .slice(first, first + Math.floor(size))
  return shown.length > 0 ? shown : {}
}

function readNumber(text: string | null): number | undefined {
  if (text === null || text.trim() === '') return undefined
  const number = Number(text)
  return Number.isNaN(number) ? undefined : number
}
