import type { Reply } from '../../../src/plugin/api.ts'

const MIN_STATUS = 200
const MAX_STATUS = 999

/**
 * What a function returned, as an answer; `undefined` when the request goes on. Throws a TypeError for what is neither, naming the
 * function by `place`.
 */
export function toReply(returned: unknown, place: string): Reply | undefined {
  if (returned === undefined || returned === null || returned === false) return undefined
  if (typeof returned === 'number') return answer({ status: returned }, place)
  if (Array.isArray(returned)) {
    const [status, body] = returned
    return isNothing(status) && isNothing(body)
      ? undefined
      : answer({ status: status ?? MIN_STATUS, body }, place)
  }
  if (typeof returned === 'object' && 'status' in returned) return answer(returned as Reply, place)
  throw new TypeError(
    `${place} returned ${describe(returned)}; return nothing, [code, body] or {status, headers, body}`,
  )
}

function answer({ status, body, headers }: { readonly [Key in keyof Reply]: unknown }, place: string): Reply {
  if (!isStatus(status)) {
    throw new TypeError(
      `${place} returned the status ${describe(status)}; use ${MIN_STATUS} to ${MAX_STATUS}`,
    )
  }
  return {
    status,
    ...(!isNothing(body) && { body: bodyOf(body) }),
    ...(!isNothing(headers) && { headers: headers as NonNullable<Reply['headers']> }),
  }
}

function bodyOf(body: unknown): NonNullable<Reply['body']> {
  return typeof body === 'object' ? (body as NonNullable<Reply['body']>) : String(body)
}

function isStatus(status: unknown): status is number {
  return Number.isInteger(status) && Number(status) >= MIN_STATUS && Number(status) <= MAX_STATUS
}

function isNothing(value: unknown): value is undefined | null {
  return value === undefined || value === null
}

/** Not the value itself: it may be anything, and long. */
function describe(value: unknown): string {
  return typeof value === 'number' ? String(value) : `a value of type ${typeof value}`
}
