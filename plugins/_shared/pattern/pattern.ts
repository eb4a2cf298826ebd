import { compilePcre } from '../../../src/lib/pcre.ts'
import type { SafePattern } from '../../../src/lib/safe-pattern.ts'

/** Options of ngx.re: those of PCRE that JavaScript has, and those that only tuned nginx's own engine. */
const FLAGS: ReadonlyMap<string, string> = new Map([
  ['i', 'i'],
  ['m', 'm'],
  ['s', 's'],
  ['u', 'u'],
  ['a', 'y'],
  ['j', ''],
  ['o', ''],
  ['d', ''],
])

/**
 * Compiles a PCRE pattern with options of ngx.re (`jo`, `i` …). Throws an Error that says why it cannot be used, also for one
 * that could hold up the process.
 */
export function compilePattern(source: string, options = ''): SafePattern {
  const flags = new Set([...options].map(flagOf))
  const inline = ['i', 'm', 's'].filter((flag) => flags.has(flag)).join('')
  const pattern = compilePcre(inline === '' ? source : `(?${inline})${source}`, {
    unicode: flags.has('u'),
    sticky: flags.has('y'),
    captures: true,
  })
  if (!pattern) throw new Error(reason(source, flags.has('u') ? 'u' : ''))
  return pattern
}

function flagOf(option: string): string {
  const flag = FLAGS.get(option)
  if (flag !== undefined) return flag
  throw new Error(`unknown option "${option}"; use ${[...FLAGS.keys()].join(', ')}`)
}

/** JavaScript's own complaint where it has one, else what PCRE knows and JavaScript does not. */
function reason(source: string, flags: string): string {
  try {
    new RegExp(source, flags)
  } catch (error) {
    return (error as Error).message
  }
  return 'possessive and atomic groups, recursion and flags inside the pattern are not available'
}
