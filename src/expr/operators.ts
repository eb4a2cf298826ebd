import { createIpSet, IpAddressError } from '../lib/ip-set.ts'
import { compilePcre } from '../lib/pcre.ts'
import { type SafePattern, UnsafePatternError } from '../lib/safe-pattern.ts'
import { ExpressionError } from './expression-error.ts'
import { toNumber } from './to-number.ts'

/** Compares the value of a variable, `undefined` when absent, with the rule's own value. */
export type Comparison = (left: unknown) => boolean
type ComparisonFactory = (right: unknown) => Comparison

const never: Comparison = () => false

/** The operators of contract §4.4 by name. A factory runs once, at compile time; `right` is `undefined` for JSON null. */
export const OPERATORS: ReadonlyMap<string, ComparisonFactory> = new Map<string, ComparisonFactory>([
  ['==', equal],
  ['~=', (right) => negate(equal(right))],
  ['>', numeric((left, right) => left > right)],
  ['>=', numeric((left, right) => left >= right)],
  ['<', numeric((left, right) => left < right)],
  ['<=', numeric((left, right) => left <= right)],
  ['~~', (right) => search(right, false)],
  ['~*', (right) => search(right, true)],
  ['in', isIn],
  ['has', has],
  ['ipmatch', ipMatch],
])

/** Strict, except that a number compares with the left side read as a number. */
function equal(right: unknown): Comparison {
  if (typeof right === 'number') return (left) => toNumber(left) === right
  return (left) => (left ?? undefined) === right
}

function negate(comparison: Comparison): Comparison {
  return (left) => !comparison(left)
}

function numeric(compare: (left: number, right: number) => boolean): ComparisonFactory {
  return (rightValue) => {
    const right = toNumber(rightValue)
    if (right === undefined) return never
    return (leftValue) => {
      const left = toNumber(leftValue)
      return left !== undefined && compare(left, right)
    }
  }
}

function search(right: unknown, ignoreCase: boolean): Comparison {
  const pattern =
    typeof right === 'string' || typeof right === 'number'
      ? compileSearch(String(right), ignoreCase)
      : undefined
  if (pattern === undefined) return never
  return (left) => (typeof left === 'string' || typeof left === 'number') && pattern.test(String(left))
}

function compileSearch(pattern: string, ignoreCase: boolean): SafePattern | undefined {
  try {
    return compilePcre(pattern, { ignoreCase })
  } catch (error) {
    if (error instanceof UnsafePatternError) throw new ExpressionError(error.message)
    throw error
  }
}

function isIn(right: unknown): Comparison {
  if (!Array.isArray(right)) return never
  const members = new Set<unknown>(right.filter((member) => member !== null))
  return (left) => members.has(left)
}

function has(right: unknown): Comparison {
  if (right === undefined) return never
  return (left) => Array.isArray(left) && left.includes(right)
}

function ipMatch(right: unknown): Comparison {
  try {
    const addresses = createIpSet(Array.isArray(right) ? right : [right as string])
    return (left) => typeof left === 'string' && addresses.has(left)
  } catch (error) {
    if (error instanceof IpAddressError) throw new ExpressionError(error.message)
    throw error
  }
}
