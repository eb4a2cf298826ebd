import type { StoredItem } from '../../src/store/config-store.ts'
import { Refusal } from './answer.ts'

const MIN_PAGE_SIZE = 10
const MAX_PAGE_SIZE = 500

/**
 * The page that `page` and `page_size` ask for, in order of creation; all items as they are when either is no number. Throws the
 * 400 of contract §1.4.
 */
export function paginate(
  items: readonly StoredItem[],
  query: URLSearchParams,
): { readonly isPaged: boolean; readonly items: readonly StoredItem[] } {
  const page = readNumber(query.get('page'))
  const size = readNumber(query.get('page_size'))
  if (page === undefined || size === undefined) return { isPaged: false, items }
  if (size < MIN_PAGE_SIZE || size > MAX_PAGE_SIZE) {
    throw new Refusal({
      status: 400,
      text: `page_size must be between ${MIN_PAGE_SIZE} and ${MAX_PAGE_SIZE}`,
    })
  }
  const first = (Math.max(1, Math.floor(page)) - 1) * Math.floor(size)
  const inOrder = [...items].sort((a, b) => a.createRevision - b.createRevision)
  return { isPaged: true, items: inOrder.slice(first, first + Math.floor(size)) }
}

function readNumber(text: string | null): number | undefined {
  if (text === null || text.trim() === '') return undefined
  const number = Number(text)
  return Number.isNaN(number) ? undefined : number
}
