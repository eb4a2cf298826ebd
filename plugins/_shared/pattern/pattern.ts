import { compilePcre } from '../../../src/lib/pcre.ts'

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
 * Compiles a PCRE pattern with options of ngx.re (`jo`, `i` …). Throws an Error that says why it cannot be used. Stateless but
 * for the sticky `a`: reset `lastIndex` before use.
 */
export function compilePattern(source: string, options = ''): RegExp {
  const flags = new Set([...options].map(flagOf))
  const inline = ['i', 'm', 's'].filter((flag) => flags.has(flag)).join('')
  const pattern = compilePcre(inline === '' ? source : `(?${inline})${source}`)
  if (!pattern) throw new Error(reason(source))
  const rest = ['u', 'y'].filter((flag) => flags.has(flag)).join('')
  return rest === '' ? pattern : new RegExp(pattern.source, pattern.flags + rest)
}

function flagOf(option: string): string {
  const flag = FLAGS.get(option)
  if (flag !== undefined) return flag
  throw new Error(`unknown option "${option}"; use ${[...FLAGS.keys()].join(', ')}`)
}

/** JavaScript's own complaint where it has one, else what PCRE knows and JavaScript does not. */
function reason(source: string): string {
  try {
    new RegExp(source)
  } catch (error) {
    return (error as Error).message
  }
  return 'possessive and atomic groups, recursion and flags inside the pattern are not available'
}
