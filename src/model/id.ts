import type { Id } from './types.ts'

/** What an id given as text may look like (contract §1.5). */
export const ID_PATTERN = '^[a-zA-Z0-9-_.]+$'
export const ID_MAX_LENGTH = 64
/** What a consumer's name may look like (contract §1.5). */
export const USERNAME_PATTERN = '^[a-zA-Z0-9_\\-]+$'
export const USERNAME_MAX_LENGTH = 256

const ID = new RegExp(ID_PATTERN)
const USERNAME = new RegExp(USERNAME_PATTERN)

/** Whether a value may be an id: a text of 1 to 64 letters, digits, `-`, `_` and `.`, or an integer from 1. */
export function isId(value: unknown): value is Id {
  if (typeof value === 'string') return value.length <= ID_MAX_LENGTH && ID.test(value)
  return Number.isInteger(value) && (value as number) >= 1
}

export function isUsername(value: unknown): value is string {
  return typeof value === 'string' && value.length <= USERNAME_MAX_LENGTH && USERNAME.test(value)
}
